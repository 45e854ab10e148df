"""Writes ONNX files."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from headstart.exporting.about import INPUT, KEY, OUTPUT
from headstart.exporting.graph import Graph, exported, first_line, quiet
from headstart.exporting.onnx_run import OnnxRun
from headstart.exporting.squares import noise
from headstart.project.errors import HeadstartError

OPSET: Final = 20
TOLERANCE: Final = 1e-4
"""How far a probability of a file in float32 may be from the network's."""


def write_onnx(graph: Graph, size_px: int, path: Path, about: str) -> None:
    """Write the graph as an ONNX file that takes any number of pictures.

    Torch traces the network, which takes a second. Where that fails, or gives other probabilities (a
    network may decide by its input what it computes), torch.export follows the network, which takes
    about ten seconds more and needs onnxscript.

    Args:
        graph: in evaluation mode, on the CPU.
        size_px: side of its input.
        path: the file to write.
        about: its metadata, as `about.text` makes them.

    Raises:
        HeadstartError: torch cannot convert the network.
    """
    try:
        _trace(graph, size_px, path)
        traced = _agrees(graph, size_px, path)
    except Exception:  # each network has its own way not to be traced
        traced = False
    if not traced:
        _follow(graph, size_px, path)
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: about})
    onnx.save(model, path)


def _trace(graph: Graph, size_px: int, path: Path) -> None:
    pixels = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    with quiet(), torch.no_grad():
        torch.onnx.export(
            graph, (pixels,), path, dynamo=False, opset_version=OPSET,
            input_names=[INPUT], output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
        )  # fmt: skip


def _agrees(graph: Graph, size_px: int, path: Path) -> bool:
    """Whether the file gives the graph's probabilities, for other numbers of pictures than traced."""
    run, pixels = OnnxRun.load(path, torch.get_num_threads()), noise(3, size_px)
    with torch.inference_mode():
        wanted = graph(torch.from_numpy(pixels)).numpy()
    return all(np.abs(run(pixels[:n]) - wanted[:n]).max() <= TOLERANCE for n in (1, len(pixels)))


def _follow(graph: Graph, size_px: int, path: Path) -> None:
    if find_spec("onnxscript") is None:
        raise HeadstartError(
            "This network cannot be traced. torch.export may follow it, for which onnxscript is "
            "needed: pip install onnxscript"
        )
    program = exported(graph, size_px)
    try:
        with quiet():
            converted: Any = torch.onnx.export(
                program, (), dynamo=True, opset_version=OPSET, verbose=False,
                input_names=[INPUT], output_names=[OUTPUT],
            )  # fmt: skip
    except Exception as error:
        raise HeadstartError(
            f"torch.onnx does not convert this network: {first_line(error)}."
        ) from error
    converted.save(path, external_data=False)  # one file holds the weights too
