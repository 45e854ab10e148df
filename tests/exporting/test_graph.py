"""The graph of a checkpoint computes what its networks compute, by torch's own operations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from headstart.backbone.device import PLAIN_CPU
from headstart.exporting.graph import Graph, exported, graph_of
from headstart.exporting.onnx_file import TOLERANCE
from headstart.exporting.parity import Parity, compare, network_run, require_parity
from headstart.exporting.squares import noise
from headstart.labels.task import Task
from headstart.network.checkpoints import Checkpoint
from headstart.network.restored import restored
from headstart.project.errors import HeadstartError
from tests.exporting.checkpoints import small_checkpoint
from tests.small_networks import SIZE

PIXELS = noise(5, SIZE)
FILE = Path("net.safetensors")  # named in errors only


def measured(content: Checkpoint) -> NDArray[np.float32]:
    info, networks = content.info, restored(content, FILE, PLAIN_CPU)
    return network_run(networks, info.task, info.temperature)(PIXELS)


@pytest.mark.parametrize("temperatures", [{}, {"plain": 0.6, "tta": 9.0}, {"plain": 3.0}])
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_the_graph_gives_the_calibrated_probabilities_of_the_networks(
    n_members: int, task: str, temperatures: dict[str, float]
) -> None:
    content = small_checkpoint(n_members, task=task, temperatures=temperatures)
    with torch.no_grad():
        found = graph_of(content)(torch.from_numpy(PIXELS)).numpy()
    assert found.shape == (5, 3)
    assert np.abs(found - measured(content)).max() < TOLERANCE
    if temperatures:
        as_said = measured(small_checkpoint(n_members, task=task))
        assert np.abs(found - as_said).max() > 0.01
        assert (found.argmax(axis=1) == as_said.argmax(axis=1)).all()
    assert np.ptp(found, axis=0).max() > 0.01  # it tells pictures apart
    assert (np.abs(found.sum(axis=1) - 1) < 1e-5).all() == (task == "single_label")


def test_the_exported_graph_has_torchs_own_operations_and_takes_any_batch() -> None:
    content = small_checkpoint()
    program = exported(graph_of(content), SIZE)
    kinds = {str(node.target) for module in program.graph_module.modules()
             for node in getattr(module, "graph", torch.fx.Graph()).nodes
             if node.op == "call_function"}  # fmt: skip
    assert "aten.conv2d.default" in kinds and "aten.batch_norm.default" in kinds
    assert not [kind for kind in kinds if "mkldnn" in kind or "onednn" in kind]
    run = program.module()
    for n in (1, 5):
        found = run(torch.from_numpy(PIXELS[:n])).detach().numpy()
        assert np.abs(found - measured(content)[:n]).max() < TOLERANCE


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_logits_beyond_float32_probabilities_are_calibrated_too(n_members: int, task: Task) -> None:
    class Sure(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[25.0, 10.0, -60.0], [-1.0, 30.0, 3.0]])

    graph = Graph([Sure()] * n_members, task, 4.0)  # type: ignore[list-item]
    logits = Sure()(torch.empty(0)).double() / 4
    wanted = logits.softmax(1) if task == "single_label" else logits.sigmoid()
    assert (graph(torch.from_numpy(PIXELS[:2])).double() - wanted).abs().max() < TOLERANCE


def test_a_network_that_torch_cannot_follow_is_refused_in_a_sentence() -> None:
    class Fickle(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            mean = pictures.float().mean()
            return pictures.float().mean((2, 3)) if mean > 1 else pictures.float().amax((2, 3))

    with pytest.raises(HeadstartError, match=r"torch\.export does not follow this network: "):
        exported(Graph([Fickle()], "multi_label"), SIZE)  # type: ignore[list-item]


def test_the_largest_difference_decides() -> None:
    def shifted(by: float) -> Parity:
        def run(pixels: object) -> NDArray[np.float32]:
            found = np.full((len(PIXELS[:1]), 2), 0.5, np.float32)
            found[0, 1] += by
            return found

        return compare(run, lambda _: np.full((1, 2), 0.5, np.float32), PIXELS[:1])

    assert shifted(3e-5).max_dp == pytest.approx(3e-5, rel=0.01)
    require_parity(shifted(-3e-5), Path("net.onnx"), "2 pictures")
    for bad in (shifted(-2e-4), shifted(float("nan"))):
        with pytest.raises(HeadstartError, match=r"net.onnx is not written: on 2 pictures"):
            require_parity(bad, Path("net.onnx"), "2 pictures")
