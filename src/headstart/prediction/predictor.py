"""Predictions of several checkpoints for the same pictures: plain and augmented views."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.activations.frozen import AugmentedView, FrozenBackbone, Row, outputs_once
from headstart.backbone.backbone import Backbone, tensors_digest
from headstart.kept.once import Once, anew
from headstart.labels.task import Task
from headstart.network.head import head_logits, linear_weights, restore_head
from headstart.network.network import Network
from headstart.network.probabilities import probabilities
from headstart.project.report import Report
from headstart.project.work import code_digest
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

# The rooms whose code determines the logits.
ROOMS = (
    "activations", "backbone", "kept", "labels", "network", "pictures", "prediction", "project",
    "views",
)  # fmt: skip

EVALUATION = (0.0, 0.0)  # dropout of a head that only predicts


@dataclass(frozen=True)
class Trained:
    """A checkpoint to predict with.

    Attributes:
        members: one state, or one for each member of an ensemble. A state has the tensors `head.*`,
            and `backbone.*` if the backbone was trained too.
        size_px: side of the network input.
    """

    members: Sequence[Mapping[str, Tensor]]
    size_px: int


@dataclass(frozen=True)
class Predictor:
    """Predicts with each checkpoint, at its own size.

    Checkpoints with the frozen backbone and the same size share its features.

    Attributes:
        backbone: the frozen original, on its device.
        checkpoints: name -> checkpoint, in the order of the results.
        pictures: decodes and augments pictures; given at the full size.
        augment: how the augmented views differ from the plain one.
        n_views: augmented views per picture, beside the plain one.
        seed: of the views.
        task: decides how logits become probabilities.
        report: receives the progress.
        once: may keep the networks' outputs for later runs, also of one that is broken off; `anew`
            keeps none.
    """

    backbone: Backbone
    checkpoints: Mapping[str, Trained]
    pictures: Pictures
    augment: AugmentParams
    n_views: int
    seed: int
    task: Task
    report: Report
    once: Once[Row] = anew

    def __call__(self, ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Probabilities (1 + V, N, K) by checkpoint: plain view first, pictures in the order of `ids`.

        An ensemble's probabilities are the mean over its members. `ids` may be empty; N is 0 then.
        """
        features: dict[int, NDArray[np.float32]] = {}  # by size_px, of the frozen backbone
        found: dict[str, NDArray[np.float64]] = {}
        for name, trained in self.checkpoints.items():
            pictures = self.pictures.at(trained.size_px, self.report)
            members = [
                self._logits(state, pictures, ids, name, features) for state in trained.members
            ]
            found[name] = np.mean([probabilities(logits, self.task) for logits in members], axis=0)
        return found

    def _logits(
        self,
        state: Mapping[str, Tensor],
        pictures: Pictures,
        ids: Sequence[str],
        name: str,
        features: dict[int, NDArray[np.float32]],
    ) -> Tensor:
        """Logits (1 + V, N, K) of one state; `features` keeps those of the frozen backbone."""
        head = restore_head(_part(state, "head"), EVALUATION).to(pictures.device).eval()
        if body := _part(state, "backbone"):
            backbone = copy.deepcopy(self.backbone)
            backbone.model.load_state_dict(body)
            network = Network(backbone, head).eval()
            made_by = {
                "code": code_digest(*ROOMS),
                "network": tensors_digest(state),
                **backbone.describe(),
                **backbone.compute.kernels(),
            }

            def logits(view: AugmentedView | None, bar: str) -> Iterable[Row]:
                progress = self.report, f"{name} {bar}"
                return outputs_once(self.once, made_by, network, pictures, view, ids, progress)

            n_classes = len(linear_weights(_part(state, "head"))[-1])
            return torch.from_numpy(self._all_views(logits, n_classes))
        size = pictures.size_px
        if size not in features:
            frozen = FrozenBackbone(self.backbone, pictures, self.report, self.once)
            features[size] = self._all_views(
                lambda view, bar: frozen.features(ids, view, f"frozen backbone, {size} px {bar}"),
                self.backbone.n_features,
            )
        return head_logits(head, features[size], pictures.device)

    def _all_views(
        self, rows: Callable[[AugmentedView | None, str], Iterable[Row]], width: int
    ) -> NDArray[np.float32]:
        """Stack the rows of all views, (1 + V, N, D or K); the plain view comes first.

        Args:
            rows: (view, its number for the bar, such as 1/5) -> N rows.
            width: D or K, for the case of no rows.
        """
        augmented = [AugmentedView(self.augment, self.seed, v) for v in range(1, 1 + self.n_views)]
        views = [None, *augmented]
        return np.stack(
            [_stacked(rows(view, f"{n}/{len(views)}"), width) for n, view in enumerate(views, 1)]
        )


def _stacked(rows: Iterable[Row], width: int) -> NDArray[np.float32]:
    rows = list(rows)
    return np.stack(rows) if rows else np.empty((0, width), np.float32)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
