"""Outputs of networks in evaluation mode, view by view; of the frozen backbone only once a picture."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbone.backbone import Backbone
from headstart.kept.once import Once, anew
from headstart.project.report import Report
from headstart.project.work import code_digest
from headstart.views.augment import AugmentParams
from headstart.views.inference import forward_passes, id_batches
from headstart.views.pictures import Pictures

Row = NDArray[np.float32]

# The rooms that make the features.
ROOMS = ("activations", "backbone", "kept", "pictures", "project", "views")


@dataclass(frozen=True)
class AugmentedView:
    """View number `number` of those drawn with `seed`."""

    augment: AugmentParams
    seed: int
    number: int

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        augment = self.augment.model_dump(mode="json")
        return {"augment": augment, "seed": self.seed, "number": self.number}


def view_outputs(
    forward: Callable[[Tensor], Tensor],
    pictures: Pictures,
    view: AugmentedView | None,
    ids: Sequence[str],
    progress: tuple[Report, str],
) -> Iterator[Row]:
    """Outputs (D or K) of a view of each picture, in their order; of the plain one without `view`.

    Args:
        forward: in evaluation mode.
        pictures: decodes, crops and moves.
        view: which.
        ids: (N); a picture's row does not depend on which others are asked for with it.
        progress: who shows a bar, and its label.
    """
    batches, (report, label) = id_batches(ids, pictures.device), progress
    if view is None:
        shown = pictures.plain(batches)
    else:
        shown = pictures.views(batches, view.augment, view.seed, view.number)
    for outputs in report.progress(forward_passes(forward, shown), len(batches), label):
        yield from outputs


@dataclass(frozen=True)
class FrozenBackbone:
    """A frozen backbone that looks at a set of pictures.

    Attributes:
        backbone: in evaluation mode, on its device.
        pictures: decodes, crops and moves.
        report: shows a bar a view.
        once: remembers what was computed, or does not.
    """

    backbone: Backbone
    pictures: Pictures
    report: Report
    once: Once[Row] = anew

    def features(self, ids: Sequence[str], view: AugmentedView | None, label: str) -> Iterator[Row]:
        """(D) of a view of each picture, in their order; of the plain one without `view`."""
        shaped_by = {
            "code": code_digest(*ROOMS),
            **self.backbone.describe(),
            **self.backbone.compute.kernels(),
            "size_px": self.pictures.size_px,
            "frame": asdict(self.pictures.frame),
            "preprocessing": self.pictures.preprocessing.model_dump(mode="json"),
            "view": view.describe() if view else "plain",
        }

        def compute(new: Sequence[str]) -> Iterator[Row]:
            return view_outputs(self.backbone, self.pictures, view, new, (self.report, label))

        return self.once(shaped_by, ids, compute)
