import numpy as np
import torch

from headstart.activations.stored import SizedActivations
from headstart.backbone.backbone import Backbone
from headstart.steps.precompute_activations import precompute_activations
from headstart.views.draws import PLAIN
from headstart.views.pictures import cropped
from tests.small_networks import SIZE, SQUARE, picture
from tests.steps.conftest import IDS, computed, frozen


def test_cached_equals_live(backbone: Backbone, plain: SizedActivations) -> None:
    assert plain.first().features.shape == (1, len(IDS), backbone.n_features)
    with torch.inference_mode():
        for row in (0, 31, 32, 44):  # both ends of the full and of the padded batch
            crop = cropped(picture(int(IDS[row])), SIZE, SQUARE, PLAIN).transpose(2, 0, 1)
            live = backbone(torch.from_numpy(crop[None].copy()))[0].numpy()
            np.testing.assert_allclose(plain.first().features[0, row], live, rtol=1e-4, atol=1e-5)


def test_a_pictures_features_do_not_depend_on_its_company(
    backbone: Backbone, plain: SizedActivations
) -> None:
    few = IDS[40:43]
    alone = computed(precompute_activations(frozen(backbone), few, "d"))
    assert np.array_equal(alone.features[0], plain.first().of(few)[0])


def test_the_backbone_is_left_as_it_was(backbone: Backbone, plain: SizedActivations) -> None:
    from headstart.backbone.backbone import tensors_digest

    assert tensors_digest(backbone.model.state_dict()) == plain.first().manifest.weights
    assert not backbone.training


def test_the_manifest_says_what_shaped_the_bits(plain: SizedActivations) -> None:
    manifest = plain.first().manifest
    assert (manifest.architecture, manifest.size_px, manifest.frame) == (
        "test_resnet",
        SIZE,
        SQUARE,
    )
    assert (manifest.transform, manifest.pictures, manifest.precision) == (
        "plain",
        "digest",
        "float32",
    )
