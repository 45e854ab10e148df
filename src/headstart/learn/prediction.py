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
class Predictor:
    """Predicts with each checkpoint; those that share the frozen backbone share its features.

    Attributes:
        backbone: the frozen original, on its device.
        tensors: for each checkpoint, in order, its state: `head.*`, and `backbone.*` where the
            backbone was trained too.
        pictures: decodes and augments.
        augment: how the views differ from the plain one.
        n_views: augmented views a picture, beside the plain one.
        seed: of the views.
        objective: whose probabilities the logits stand for.
        report: listens.
    """

    backbone: Backbone
    tensors: Mapping[str, Mapping[str, Tensor]]
    pictures: Pictures
    augment: AugmentParams
    n_views: int
    seed: int
    objective: Objective
    report: Report

    def __call__(self, ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Probabilities (1 + V, N, K) of each checkpoint, plain view first, rows as the ids."""
        heads = {
            name: restore_head(_part(state, "head"), EVALUATION).to(self.pictures.device).eval()
            for name, state in self.tensors.items()
        }
        features: NDArray[np.float32] | None = None
        logits: dict[str, Tensor] = {}
        for name, state in self.tensors.items():
            if body := _part(state, "backbone"):
                trained = copy.deepcopy(self.backbone)
                trained.model.load_state_dict(body)
                network = Network(trained, heads[name]).eval()
                logits[name] = torch.from_numpy(self._outputs(network, ids, name))
            else:
                if features is None:
                    features = self._outputs(self.backbone, ids, "frozen backbone")
                logits[name] = head_logits(heads[name], features, self.pictures.device)
        return {name: self.objective.probabilities(values) for name, values in logits.items()}

    def _outputs(
        self, forward: Callable[[Tensor], Tensor], ids: Sequence[str], label: str
    ) -> NDArray[np.float32]:
        """(1 + V, N, D or K): the plain view, then the augmented ones."""

        def show(batches: Sequence[Sequence[str]], view: int) -> Iterator[Tensor]:
            if view == 0:
                return self.pictures.plain(batches)
            return self.pictures.views(batches, self.augment, self.seed, view)

        n_views = 1 + self.n_views
        parts: list[list[NDArray[np.float32]]] = [[] for _ in range(n_views)]
        for view, _, outputs in frozen_features(forward, show, ids, n_views, self.report, label):
            parts[view].append(outputs)
        return np.stack([np.concatenate(part) for part in parts])


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
