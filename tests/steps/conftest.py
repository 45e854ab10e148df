"""A tiny set with cached activations for the steps that train; pictures for index-images."""

import numpy as np
import pandas as pd
import pytest

from headstart.activations.computed import Computation
from headstart.activations.frozen import FrozenBackbone
from headstart.activations.stored import Activations, SizedActivations
from headstart.backbone.backbone import Backbone
from headstart.labels.labels import Labels
from headstart.project.report import Silent
from headstart.steps.precompute_activations import precompute_activations
from headstart.steps.precompute_views import PrecomputeViewsParams, precompute_views
from headstart.views.augment import AugmentParams
from tests.indexed import given as given
from tests.indexed import one_level as one_level
from tests.indexed import with_table as with_table
from tests.small_networks import SIZE, small_backbone, small_pictures

IDS = [f"{i:03}" for i in range(45)]
CLASSES = ("a", "b", "c")
AUGMENT = AugmentParams(
    symmetry="side_on",
    max_zoom=1.1,
    stretch=0.0,
    crop="random",
    shift_px=2,
    rotate_deg=5.0,
    brightness=0.05,
    contrast=0.05,
    blur_px=0.0,
    cutout_frac=0.0,
)
VIEWS = PrecomputeViewsParams(n_views=2, seed=7)


def make_labels(valid: bool = True) -> Labels:
    splits = ["train" if i % 3 or not valid else "valid" for i in range(len(IDS))]
    labels = [[CLASSES[i % 7 % 3]] for i in range(len(IDS))]
    table = pd.DataFrame({"id": IDS, "labels": labels, "split": splits, "group": IDS})
    return Labels(table, CLASSES, "single_label")


def computed(computation: Computation) -> Activations:
    shape = (computation.n_views, len(computation.ids), computation.n_features)
    features = np.full(shape, np.nan, dtype=np.float32)
    for view in range(computation.n_views):
        features[view] = np.stack(list(computation.rows(view)))
    return Activations(features, computation.ids, computation.manifest)


def frozen(backbone: Backbone, size_px: int = SIZE) -> FrozenBackbone:
    return FrozenBackbone(backbone, small_pictures(size_px), Silent())


def sized(*caches: Activations) -> SizedActivations:
    """The caches of several sizes, the full one of them SIZE."""
    return SizedActivations(SIZE, {cached.manifest.size_px: cached for cached in caches})


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    return small_backbone()


@pytest.fixture(scope="session")
def labels() -> Labels:
    return make_labels()


@pytest.fixture(scope="session")
def plain(backbone: Backbone) -> SizedActivations:
    return sized(computed(precompute_activations(frozen(backbone), IDS, "digest")))


@pytest.fixture(scope="session")
def views(backbone: Backbone, labels: Labels) -> SizedActivations:
    ids = labels.ids("train")
    return sized(computed(precompute_views(frozen(backbone), ids, "digest", AUGMENT, VIEWS)))
