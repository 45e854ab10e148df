"""Outputs of networks in evaluation mode, view by view.

They can be remembered, so that each picture is computed only once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbone.backbone import Backbone
from headstart.cluster.chosen import workers_for
from headstart.kept.once import Once, anew
from headstart.project.report import Report
from headstart.project.work import code_digest
from headstart.views.augment import AugmentParams
from headstart.views.inference import forward_passes, id_batches
from headstart.views.pictures import Pictures

Row = NDArray[np.float32]

# The rooms whose code determines the features.
ROOMS = ("activations", "backbone", "kept", "pictures", "project", "views")


@dataclass(frozen=True)
class AugmentedView:
    """View number `number` among the views drawn with `seed`."""

    augment: AugmentParams
    seed: int
    number: int

    def describe(self) -> dict[str, Any]:
        """The view as JSON values."""
        augment = self.augment.model_dump(mode="json")
        return {"augment": augment, "seed": self.seed, "number": self.number}


def view_outputs(
    forward: Callable[[Tensor], Tensor],
    pictures: Pictures,
    view: AugmentedView | None,
    ids: Sequence[str],
    progress: tuple[Report, str],
) -> Iterator[Row]:
    """Yield the output (D or K) for one view of each picture, in the order of `ids`.

    Args:
        forward: a network in evaluation mode.
        pictures: decodes, crops and augments.
        view: the view to show; None is the plain view.
        ids: (N) picture ids; a picture's output does not depend on the other ids.
        progress: the report that shows a progress bar, and the bar's label.
    """
    batches, (report, label) = id_batches(ids, pictures.device), progress
    if view is None:
        shown = pictures.plain(batches)
    else:
        shown = pictures.views(batches, view.augment, view.seed, view.number)
    for outputs in report.progress(forward_passes(forward, shown), len(batches), label):
        yield from outputs


def outputs_once(
    once: Once[Row],
    network: Mapping[str, Any],
    forward: Callable[[Tensor], Tensor],
    pictures: Pictures,
    view: AugmentedView | None,
    ids: Sequence[str],
    progress: tuple[Report, str],
) -> Iterator[Row]:
    """As `view_outputs`, but only the outputs that no earlier run has are computed.

    Args:
        once: remembers the outputs.
        network: JSON values: all that shapes the outputs besides pictures and view, with its "code".
        forward: the network, in evaluation mode.
        pictures: decodes, crops and augments.
        view: the view to show; None is the plain view.
        ids: (N) picture ids; a picture's output does not depend on the other ids.
        progress: the report that shows a progress bar, and the bar's label.
    """
    shaped_by = {
        **network,
        "size_px": pictures.size_px,
        "frame": asdict(pictures.frame),
        "preprocessing": pictures.preprocessing.model_dump(mode="json"),
        "view": view.describe() if view else "plain",
    }

    def make(new: Sequence[str]) -> Iterable[Row]:
        if workers := workers_for(len(new), networks=True):
            from headstart.activations.elsewhere import outputs_elsewhere  # late: seldom needed

            return outputs_elsewhere(workers, shaped_by, forward, pictures, view, new, progress)
        return view_outputs(forward, pictures, view, new, progress)

    return once(shaped_by, ids, make)


@dataclass(frozen=True)
class FrozenBackbone:
    """A frozen backbone and the pictures whose features it computes.

    Attributes:
        backbone: in evaluation mode, on its device.
        pictures: decodes, crops and augments.
        report: shows a progress bar for each view.
        once: computes only the rows that no earlier run has; the default computes all.
    """

    backbone: Backbone
    pictures: Pictures
    report: Report
    once: Once[Row] = anew

    def features(self, ids: Sequence[str], view: AugmentedView | None, label: str) -> Iterator[Row]:
        """Yield the features (D) of one view of each picture, in order; None is the plain view."""
        network = {
            "code": code_digest(*ROOMS),
            **self.backbone.describe(),
            **self.backbone.compute.kernels(),
        }
        progress = self.report, label
        return outputs_once(self.once, network, self.backbone, self.pictures, view, ids, progress)
