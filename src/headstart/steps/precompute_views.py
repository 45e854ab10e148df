"""Augmented views of the training pictures through the frozen backbone: one view an epoch."""

from collections.abc import Sequence

from pydantic import Field

from headstart.core.augment import AugmentParams
from headstart.core.report import Report
from headstart.core.section import Section
from headstart.learn.backbone import Backbone
from headstart.learn.inference import frozen_features
from headstart.learn.pictures import Pictures
from headstart.store.activations import Computation, Manifest


class PrecomputeViewsParams(Section):
    """Section `precompute_views`."""

    n_views: int = Field(ge=1, description="views of each training picture, one an augmented epoch")
    seed: int = Field(ge=0, description="of the views; another seed gives other views")


def precompute_views(
    backbone: Backbone,
    pictures: Pictures,
    ids: Sequence[str],
    digest: str,
    augment: AugmentParams,
    params: PrecomputeViewsParams,
    report: Report,
) -> Computation:
    """With the backbone frozen, the features of a view are a function of picture, seed and view.

    Training a head on them is training it on live augmented pictures, at the cost of cached ones.

    Args:
        backbone: frozen, on its device.
        pictures: decodes, crops and moves.
        ids: (N) of train, sorted.
        digest: of the stored pictures, for the manifest.
        augment: how views differ from the plain one.
        params: number of views V, and their seed.
        report: listens.
    """
    return Computation(
        ids=ids,
        n_views=params.n_views,
        n_features=backbone.n_features,
        chunks=frozen_features(
            backbone,
            lambda batches, view: pictures.views(batches, augment, params.seed, view),
            ids,
            params.n_views,
            report,
        ),
        manifest=Manifest(
            **backbone.describe(),
            size_px=pictures.size_px,
            frame=pictures.frame,
            pictures=digest,
            transform=augment.model_dump(mode="json"),
            seed=params.seed,
        ),
    )
