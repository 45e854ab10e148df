"""Compute the frozen backbone's activations of augmented views of train: one view per epoch."""

from collections.abc import Sequence

from pydantic import Field

from headstart.activations.computed import Computation
from headstart.activations.frozen import AugmentedView, FrozenBackbone
from headstart.activations.stored import Manifest
from headstart.project.section import Section
from headstart.project.versions import versions
from headstart.views.augment import AugmentParams


class PrecomputeViewsParams(Section):
    """Section `precompute_views`."""

    n_views: int = Field(
        ge=1,
        le=10_000,
        description="views of each training picture, one per augmented epoch, 1 to 10,000",
    )
    seed: int = Field(
        ge=0, description="seed of the views, at least 0; another seed gives other views"
    )


def precompute_views(
    frozen: FrozenBackbone,
    ids: Sequence[str],
    digest: str,
    augment: AugmentParams,
    params: PrecomputeViewsParams,
) -> Computation:
    """Describe the computation: V augmented views of each picture of train.

    The activations of a view depend on picture, seed and view number alone, as the backbone is
    frozen. So a head trains on them as on live augmented pictures, at the cost of cached ones.

    Args:
        frozen: the backbone with its pictures, at the size wanted.
        ids: (N) pictures of train, sorted.
        digest: digest of the stored pictures, for the manifest.
        augment: how views differ from the plain view.
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
            versions=versions(),
            transform=augment.model_dump(mode="json"),
            seed=params.seed,
        ),
    )
