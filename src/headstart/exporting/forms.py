"""The forms of exported files: how each is written, and how it is run without headstart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.exporting.about import KEY
from headstart.exporting.graph import Graph, exported, quiet
from headstart.exporting.onnx_file import write_onnx
from headstart.exporting.onnx_run import OnnxRun
from headstart.exporting.pixels import Pixels, Run
from headstart.exporting.pte import load_pte, write_pte
from headstart.project.errors import HeadstartError

FormName = Literal["onnx", "pt2", "executorch"]

PT2_ABOUT: Final = f"{KEY}.json"


@dataclass(frozen=True)
class Form:
    """A form of exported files.

    Attributes:
        suffix: what the name of a file ends with, without a dot.
        write: (graph, its input size in px, file, metadata) writes a file.
        load: file -> a function that runs it on the CPU, with torch's number of threads (ExecuTorch:
            with its own).
        needs: packages beside those of headstart.
        batch: pictures that a file takes at a time, as its metadata say it.
    """

    suffix: str
    write: Callable[[Graph, int, Path, str], None]
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


def _load_onnx(path: Path) -> Run:
    return OnnxRun.load(path, torch.get_num_threads())


def _write_pt2(graph: Graph, size_px: int, path: Path, about: str) -> None:
    program = exported(graph, size_px)
    with quiet(), path.open("wb") as file:  # a path would have to end with .pt2
        torch.export.save(program, file, extra_files={PT2_ABOUT: about})


def _load_pt2(path: Path) -> Run:
    with quiet(), path.open("rb") as file:
        module = torch.export.load(file).module()

    def run(pixels: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = module(torch.from_numpy(pixels)).numpy()
        return found

    return run


def _write_pte(graph: Graph, size_px: int, path: Path, about: str) -> None:
    write_pte(exported(graph, size_px), path, about)


FORMS: Final[Mapping[FormName, Form]] = {
    "onnx": Form("onnx", write_onnx, _load_onnx),
    "pt2": Form("pt2", _write_pt2, _load_pt2),
    "executorch": Form("pte", _write_pte, load_pte, ("executorch",), batch="1"),
}
