import numpy as np
import torch

from headstart.core.report import Silent
from headstart.learn.backbone import Backbone
from headstart.steps.precompute_views import precompute_views
from headstart.store.activations import SizedActivations
from headstart.store.index import Labels
from tests.learn.conftest import small_pictures
from tests.steps.conftest import AUGMENT, VIEWS, computed


def test_cached_views_equal_live_ones(
    backbone: Backbone, labels: Labels, views: SizedActivations
) -> None:
    ids = labels.ids("train")
    for view in range(VIEWS.n_views):
        shown = torch.cat(list(small_pictures().views([ids], AUGMENT, VIEWS.seed, view)))
        with torch.inference_mode():
            live = backbone(shown).numpy()
        np.testing.assert_allclose(views.first().features[view], live, rtol=1e-4, atol=1e-5)
    assert np.abs(views.first().features[0] - views.first().features[1]).max(1).min() > 1e-3


def test_a_view_does_not_depend_on_how_many_there_are_or_who_else_is_in_train(
    backbone: Backbone, labels: Labels, views: SizedActivations
) -> None:
    params = VIEWS.model_copy(update={"n_views": 1})
    some = labels.ids("train")[5:9]
    pictures = small_pictures()
    fewer = computed(precompute_views(backbone, pictures, some, "d", AUGMENT, params, Silent()))
    np.testing.assert_allclose(fewer.features[0], views.first().of(some)[0], rtol=1e-4, atol=1e-5)


def test_the_manifest_names_augmentation_and_seed(views: SizedActivations) -> None:
    assert views.first().manifest.transform == AUGMENT.model_dump(mode="json")
    assert views.first().manifest.seed == 7
