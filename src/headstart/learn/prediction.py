"""What several checkpoints say of the same pictures: plain and augmented views."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.core.augment import AugmentParams
from headstart.core.report import Report
from headstart.learn.backbone import Backbone
from headstart.learn.head import restore_head
from headstart.learn.inference import frozen_features, head_logits
from headstart.learn.network import Network
from headstart.learn.objective import Objective
from headstart.learn.pictures import Pictures

EVALUATION = (0.0, 0.0)  # dropout of a head that only predicts


@dataclass(frozen=True)
class Trained:
    """A checkpoint: one state, or several of an ensemble, and the input size it predicts at, px.

    A state has `head.*`, and `backbone.*` where the backbone was trained too.
    """

    members: Sequence[Mapping[str, Tensor]]
    size_px: int


@dataclass(frozen=True)
class Predictor:
    """Predicts with each checkpoint, at its own size.

    Those that share the frozen backbone and the size share its features.

    Attributes:
        backbone: the frozen original, on its device.
        checkpoints: by name, in order.
        pictures: decodes and augments; at the full size.
        augment: how the views differ from the plain one.
        n_views: augmented views a picture, beside the plain one.
        seed: of the views.
        objective: whose probabilities the logits stand for.
        report: listens.
    """

    backbone: Backbone
    checkpoints: Mapping[str, Trained]
    pictures: Pictures
    augment: AugmentParams
    n_views: int
    seed: int
    objective: Objective
    report: Report

    def __call__(self, ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Probabilities (1 + V, N, K) of each checkpoint, plain view first, rows as the ids.

        Those of an ensemble are the mean of its members'.
        """
        features: dict[int, NDArray[np.float32]] = {}  # of the frozen backbone, by size
        found: dict[str, NDArray[np.float64]] = {}
        for name, trained in self.checkpoints.items():
            pictures = self.pictures.at(trained.size_px, self.report)
            members = [
                self._logits(state, pictures, ids, name, features) for state in trained.members
            ]
            probabilities = [self.objective.probabilities(logits) for logits in members]
            found[name] = np.mean(probabilities, axis=0)
        return found

    def _logits(
        self,
        state: Mapping[str, Tensor],
        pictures: Pictures,
        ids: Sequence[str],
        name: str,
        features: dict[int, NDArray[np.float32]],
    ) -> Tensor:
        """(1 + V, N, K) of one state; `features` remembers those of the frozen backbone."""
        head = restore_head(_part(state, "head"), EVALUATION).to(pictures.device).eval()
        if body := _part(state, "backbone"):
            backbone = copy.deepcopy(self.backbone)
            backbone.model.load_state_dict(body)
            network = Network(backbone, head).eval()
            return torch.from_numpy(self._outputs(network, pictures, ids, name))
        size = pictures.size_px
        if size not in features:
            label = f"frozen backbone, {size} px"
            features[size] = self._outputs(self.backbone, pictures, ids, label)
        return head_logits(head, features[size], pictures.device)

    def _outputs(
        self,
        forward: Callable[[Tensor], Tensor],
        pictures: Pictures,
        ids: Sequence[str],
        label: str,
    ) -> NDArray[np.float32]:
        """(1 + V, N, D or K): the plain view, then the augmented ones."""

        def show(batches: Sequence[Sequence[str]], view: int) -> Iterator[Tensor]:
            if view == 0:
                return pictures.plain(batches)
            return pictures.views(batches, self.augment, self.seed, view)

        n_views = 1 + self.n_views
        parts: list[list[NDArray[np.float32]]] = [[] for _ in range(n_views)]
        for view, _, outputs in frozen_features(forward, show, ids, n_views, self.report, label):
            parts[view].append(outputs)
        return np.stack([np.concatenate(part) for part in parts])


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
