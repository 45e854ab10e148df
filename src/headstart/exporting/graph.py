"""A checkpoint's network as one graph: pixels in, probabilities out, torch's own operations only."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from headstart.backbone.backbone import Backbone, Normalisation
from headstart.backbone.timm_models import Built, features_of, timm_model
from headstart.exporting.about import INPUT
from headstart.labels.task import Task
from headstart.network.checkpoints import Checkpoint
from headstart.network.head import restore_head
from headstart.network.network import Network
from headstart.project.errors import HeadstartError

MAX_BATCH = 1024  # pictures at a time


class Graph(nn.Module):
    """RGB pixels (N, S, S, 3), uint8 -> probabilities (N, K), float32; of an ensemble, the mean.

    They are calibrated at `temperature`, as scores.calibration does it.
    """

    def __init__(self, networks: list[Network], task: Task, temperature: float = 1.0) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.task = task
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities; normalisation is inside."""
        pictures = pixels.permute(0, 3, 1, 2)  # (N, S, S, 3) -> (N, 3, S, S)
        logits = [network(pictures) for network in self.networks]
        if self.temperature == 1:
            return self._mean(logits)
        # of one network: float32 probabilities near 1 say less than its logits
        of_all = logits[0] if len(logits) == 1 else self._logits_of_mean(logits)
        return self._probabilities(of_all / self.temperature)

    def _mean(self, logits: list[Tensor]) -> Tensor:
        """The mean probabilities (N, K) of M networks."""
        return torch.stack([self._probabilities(one) for one in logits]).mean(0)

    def _logits_of_mean(self, logits: list[Tensor]) -> Tensor:
        """Logits (N, K) of the mean probabilities."""
        smallest = torch.finfo(torch.float32).tiny
        yes = self._mean(logits).clamp(min=smallest).log()
        if self.task == "single_label":
            return yes
        return yes - self._mean([-one for one in logits]).clamp(min=smallest).log()

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(1) if self.task == "single_label" else logits.sigmoid()


def graph_of(content: Checkpoint) -> Graph:
    """The networks of a checkpoint, in float32 on the CPU and in evaluation mode.

    They are built as timm composed them: folded norms and clipped convolutions (`backbone.fast`) are
    operations that other runtimes do not have.
    """
    networks = [_plain(member) for member in content.members()]
    info = content.info
    return Graph(networks, info.task, info.temperature).eval().requires_grad_(False)


def _plain(member: Checkpoint) -> Network:
    info = member.info
    model: Any = timm_model(info.architecture, info.options)
    built = Built(model, info.options, features_of(model, info.size_px))
    # Backbone.of would fold the norms
    backbone = Backbone(info.architecture, built, Normalisation(info.mean, info.std), info.pool)
    model.load_state_dict(member.part("backbone"))
    model.to(memory_format=torch.channels_last)
    return Network(backbone, restore_head(member.part("head"), info.dropout))


def exported(graph: Graph, size_px: int) -> ExportedProgram:
    """The graph as torch.export sees it, for 1 to MAX_BATCH pictures at a time.

    Raises:
        HeadstartError: torch cannot follow the network.
    """
    pixels = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    shapes = {INPUT: {0: Dim("n", min=1, max=MAX_BATCH)}}
    try:
        with torch.no_grad():
            return torch.export.export(graph, (pixels,), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # each network has its own way not to be exported
        raise HeadstartError(
            f"torch.export does not follow this network: {first_line(error)}."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's warnings about its own deprecated calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def first_line(error: Exception) -> str:
    """What an error of torch says first, without its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
