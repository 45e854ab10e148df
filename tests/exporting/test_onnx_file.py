"""An ONNX file computes what the graph computes: traced, or where that does not do, followed."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from headstart.exporting import onnx_file
from headstart.exporting.graph import Graph, graph_of
from headstart.exporting.onnx_file import TOLERANCE, write_onnx
from headstart.exporting.onnx_run import OnnxRun
from headstart.exporting.squares import noise
from headstart.project.errors import HeadstartError
from tests.exporting.checkpoints import small_checkpoint
from tests.small_networks import SIZE

PIXELS = noise(5, SIZE)


class OfTheTracedBatch(nn.Module):
    """What it computes depends on how many pictures it was traced with."""

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 3)."""
        found: Tensor = pictures.float().mean((2, 3)) / 255 * int(pictures.shape[0])
        return found


class Undecided(nn.Module):
    """Neither torch's tracer nor torch.export follows what it decides by its pixels."""

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 3)."""
        found = pictures.float() / 255
        return found.mean((2, 3)) if found.mean() > 0.01 else found.amax((2, 3))


def graph(network: nn.Module) -> Graph:
    return Graph([network], "multi_label").eval()  # type: ignore[list-item]


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_traced_file_takes_any_number_of_pictures(
    tmp_path: Path, n_members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "_follow", None)  # it is not needed
    content, file = small_checkpoint(n_members), tmp_path / "net.onnx"
    write_onnx(graph_of(content), SIZE, file, '{"classes": ["kočka", "犬"]}')
    run = OnnxRun.load(file, 1)
    assert run.about == {"classes": ["kočka", "犬"]}
    with torch.no_grad():
        wanted = graph_of(content)(torch.from_numpy(PIXELS)).numpy()
    for n in (1, 5):
        found = run(PIXELS[:n])
        assert found.dtype == np.float32 and np.abs(found - wanted[:n]).max() < TOLERANCE
    assert np.ptp(wanted, axis=0).max() > 0.01  # it tells pictures apart
    onnx.checker.check_model(onnx.load(file))


def test_a_network_that_is_traced_wrongly_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def followed(graph: Graph, size_px: int, path: Path) -> None:
        asked.append((graph, size_px))
        monkeypatch.setattr(onnx_file, "_agrees", lambda *_: True)

    monkeypatch.setattr(onnx_file, "_follow", followed)
    network = graph(OfTheTracedBatch())
    write_onnx(network, SIZE, tmp_path / "net.onnx", "{}")
    assert asked == [(network, SIZE)]


def test_a_network_that_nothing_converts_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "onnxscript is needed: pip install onnxscript"
    if importlib.util.find_spec("onnxscript"):
        why = r"torch\.export does not follow this network: "
    with pytest.raises(HeadstartError, match=why):
        write_onnx(graph(Undecided()), SIZE, tmp_path / "net.onnx", "{}")
