"""Runs an ONNX file as `onnx_file` writes it; imports no torch, which a server need not have."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from headstart.exporting.about import INPUT, KEY, OUTPUT
from headstart.exporting.pixels import Pixels

CPU: Final = ("CPUExecutionProvider",)


@dataclass(frozen=True)
class OnnxRun:
    """An ONNX file that is ready to run.

    Attributes:
        about: its metadata, as `about.about` makes them; empty while the file has none.
    """

    about: dict[str, Any]
    _session: Any

    @classmethod
    def load(cls, path: Path, n_threads: int, providers: Sequence[str] = CPU) -> Self:
        """Load the file.

        Args:
            path: of the file.
            n_threads: that compute an operation; 0: as many as the machine has cores.
            providers: of onnxruntime, the first that can do an operation does it.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        session = onnxruntime.InferenceSession(path, options, providers=list(providers))
        told = session.get_modelmeta().custom_metadata_map.get(KEY, "{}")
        return cls(json.loads(told), session)

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Probabilities (N, K) of pixels (N, S, S, 3), RGB, uint8."""
        found: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: pixels})[0]
        return found
