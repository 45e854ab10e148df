"""The forms of exported files: how each is written, and how it is run without headstart."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from headstart.exporting.about import INPUT, KEY, OUTPUT
from headstart.exporting.graph import first_line
from headstart.exporting.pte import load_pte, write_pte
from headstart.project.errors import HeadstartError

FormName = Literal["onnx", "pt2", "executorch"]

Pixels = NDArray[np.uint8]
"""(N, S, S, 3), RGB."""
Run = Callable[[Pixels], NDArray[np.float32]]
"""Pixels -> probabilities (N, K)."""

OPSET: Final = 20
PT2_ABOUT: Final = f"{KEY}.json"
PACKAGES: Final = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Form:
    """A form of exported files.

    Attributes:
        suffix: what the name of a file ends with, without a dot.
        write: (program, file, metadata) writes a file.
        load: file -> a function that runs it on the CPU, with torch's number of threads (ExecuTorch:
            with its own).
        needs: packages beside those of headstart.
        batch: pictures that a file takes at a time, as its metadata say it.
    """

    suffix: str
    write: Callable[[ExportedProgram, Path, str], None]
    load: Callable[[Path], Run]
    needs: tuple[str, ...] = ()
    batch: str = "N"

    def require(self) -> None:
        """Raise a HeadstartError unless all packages that it needs are installed."""
        if missing := [name for name in self.needs if find_spec(name) is None]:
            raise HeadstartError(
                f"This export needs {' and '.join(missing)}, which this environment lacks: "
                f"pip install {' '.join(missing)}"
            )


def _write_onnx(program: ExportedProgram, path: Path, about: str) -> None:
    try:
        with _quiet():
            converted: Any = torch.onnx.export(
                program, (), dynamo=True, opset_version=OPSET, verbose=False,
                input_names=[INPUT], output_names=[OUTPUT],
            )  # fmt: skip
    except Exception as error:
        raise HeadstartError(
            f"torch.onnx does not convert this network: {first_line(error)}."
        ) from error
    converted.model.metadata_props[KEY] = about
    converted.save(path, external_data=False)  # one file holds the weights too


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _load_onnx(path: Path) -> Run:
    session = _session(path)

    def run(pixels: Pixels) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([OUTPUT], {INPUT: pixels})[0]
        return found

    return run


def _write_pt2(program: ExportedProgram, path: Path, about: str) -> None:
    with _quiet(), path.open("wb") as file:  # a path would have to end with .pt2
        torch.export.save(program, file, extra_files={PT2_ABOUT: about})


def _load_pt2(path: Path) -> Run:
    with _quiet(), path.open("rb") as file:
        module = torch.export.load(file).module()

    def run(pixels: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = module(torch.from_numpy(pixels)).numpy()
        return found

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's warnings about its own deprecated calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


FORMS: Final[Mapping[FormName, Form]] = {
    "onnx": Form("onnx", _write_onnx, _load_onnx, PACKAGES),
    "pt2": Form("pt2", _write_pt2, _load_pt2),
    "executorch": Form("pte", write_pte, load_pte, ("executorch",), batch="1"),
}
