"""Files for ExecuTorch, which runs networks on phones: float32, by its XNNPACK kernels."""

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from headstart.exporting.about import KEY
from headstart.exporting.graph import first_line
from headstart.project.errors import HeadstartError


def write_pte(program: ExportedProgram, path: Path, about: str) -> None:
    """Write the program for one picture at a time; its method KEY gives `about`.

    A batch of any size would not do: ExecuTorch reserves memory for the largest one beforehand.

    Raises:
        HeadstartError: ExecuTorch does not convert the network.
    """
    example: Any = program.example_inputs
    (pixels,), _ = example
    try:
        with _silent():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            # XNNPACK orders weights itself, and refuses those that are channels_last already;
            # `to` changes them in place, and the program still needs its own
            own: Any = copy.deepcopy(program.module())
            module = own.to(memory_format=torch.contiguous_format)
            lowered = to_edge_transform_and_lower(
                torch.export.export(module, (pixels[:1],), strict=False),
                partitioner=[XnnpackPartitioner()],
                constant_methods={KEY: about},
            )
            path.write_bytes(lowered.to_executorch().buffer)
    except Exception as error:
        raise HeadstartError(
            f"ExecuTorch does not convert this network: {first_line(error)}."
        ) from error


def load_pte(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The file as a function: pixels (N, S, S, 3), N at least 1 -> probabilities (N, K).

    It takes one picture after the other.
    """
    with _silent():
        from executorch.runtime import Runtime

        network = Runtime.get().load_program(path).load_method("forward")

    def run(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        each = [network.execute([torch.from_numpy(one[None])])[0] for one in pixels]
        found: NDArray[np.float32] = torch.cat(each).numpy()
        return found

    return run


@contextmanager
def _silent() -> Iterator[None]:
    """Without what ExecuTorch warns, logs, and writes to sys.stderr."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
