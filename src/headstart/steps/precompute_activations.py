"""Plain views of all pictures through the frozen backbone."""

from collections.abc import Sequence

from headstart.core.report import Report
from headstart.learn.backbone import Backbone
from headstart.learn.inference import frozen_features
from headstart.learn.pictures import Pictures
from headstart.store.activations import Computation, Manifest


def precompute_activations(
    backbone: Backbone, pictures: Pictures, ids: Sequence[str], digest: str, report: Report
) -> Computation:
    """Centre crop, evaluation mode, concat-pooled (the maximum first, the average second).

    Args:
        backbone: frozen, on its device.
        pictures: decodes and crops.
        ids: (N) of all splits, sorted; labels play no part.
        digest: of the stored pictures, for the manifest.
        report: listens.
    """
    return Computation(
        ids=ids,
        n_views=1,
        n_features=backbone.n_features,
        chunks=frozen_features(
            backbone, lambda batches, view: pictures.plain(batches), ids, 1, report
        ),
        manifest=Manifest(
            **backbone.describe(),
            size_px=pictures.size_px,
            frame=pictures.frame,
            pictures=digest,
            transform="plain",
        ),
    )
