"""Compute the frozen backbone's activations of the plain view of every picture."""

from collections.abc import Sequence

from headstart.activations.computed import Computation
from headstart.activations.frozen import FrozenBackbone
from headstart.activations.stored import Manifest
from headstart.project.versions import versions


def precompute_activations(frozen: FrozenBackbone, ids: Sequence[str], digest: str) -> Computation:
    """Describe the computation: centre crops, evaluation mode, concat pooling (maximum, average).

    Args:
        frozen: the backbone with its pictures, at the size wanted.
        ids: (N) pictures of all splits, sorted; labels play no part.
        digest: digest of the stored pictures, for the manifest.
    """
    return Computation(
        ids=ids,
        n_views=1,
        n_features=frozen.backbone.n_features,
        rows=lambda _: frozen.features(ids, None, "plain view"),
        manifest=Manifest(
            **frozen.backbone.describe(),
            size_px=frozen.pictures.size_px,
            frame=frozen.pictures.frame,
            preprocessing=frozen.pictures.preprocessing,
            pictures=digest,
            versions=versions(),
            transform="plain",
        ),
    )
