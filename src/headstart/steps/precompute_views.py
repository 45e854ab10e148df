"""Augmented views of the training pictures through the frozen backbone: one view an epoch."""

from collections.abc import Sequence

from pydantic import Field

from headstart.activations.computed import Computation
from headstart.activations.frozen import AugmentedView, FrozenBackbone
from headstart.activations.stored import Manifest
from headstart.project.section import Section
from headstart.views.augment import AugmentParams


class PrecomputeViewsParams(Section):
    """Section `precompute_views`."""

    n_views: int = Field(
        ge=1,
        le=10_000,
        description="views of each training picture, one an augmented epoch, 1 to 10,000",
    )
    seed: int = Field(ge=0, description="of the views, at least 0; another seed gives other views")


def precompute_views(
    frozen: FrozenBackbone,
    ids: Sequence[str],
    digest: str,
    augment: AugmentParams,
    params: PrecomputeViewsParams,
) -> Computation:
    """With the backbone frozen, the features of a view are a function of picture, seed and view.

    Training a head on them is training it on live augmented pictures, at the cost of cached ones.

    Args:
        frozen: looks at the pictures, at the size wanted.
        ids: (N) of train, sorted.
        digest: of the stored pictures, for the manifest.
        augment: how views differ from the plain one.
        params: number of views V, and their seed.
    """
    return Computation(
        ids=ids,
        n_views=params.n_views,
        n_features=frozen.backbone.n_features,
        rows=lambda view: frozen.features(
            ids, AugmentedView(augment, params.seed, view), f"view {view + 1}/{params.n_views}"
        ),
        manifest=Manifest(
            **frozen.backbone.describe(),
            size_px=frozen.pictures.size_px,
            frame=frozen.pictures.frame,
            preprocessing=frozen.pictures.preprocessing,
            pictures=digest,
            transform=augment.model_dump(mode="json"),
            seed=params.seed,
        ),
    )
