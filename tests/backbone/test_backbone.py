import json
from pathlib import Path

import pytest
import torch

from headstart.backbone.backbone import (
    Backbone,
    Normalisation,
    load_backbone,
    restore_backbone,
    tensors_digest,
)
from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.backbone.timm_models import UnsuitableBackboneError
from tests.small_networks import small_backbone

PICTURES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255


def test_features_are_the_maximum_then_the_average_of_the_last_map() -> None:
    backbone = small_backbone()
    features = backbone(PICTURES)
    inputs = backbone.normalisation.apply(PICTURES, torch.float32)
    maps = backbone.model.forward_features(inputs)  # type: ignore[operator]
    channels = maps.shape[1]
    assert features.shape == (2, 2 * channels) == (2, backbone.n_features)
    torch.testing.assert_close(features[:, :channels], maps.amax((2, 3)))
    torch.testing.assert_close(features[:, channels:], maps.mean((2, 3)))


def test_normalisation() -> None:
    applied = Normalisation((0.5, 0.25, 0.0), (0.5, 0.25, 1.0)).apply(
        torch.full((1, 3, 1, 1), 255, dtype=torch.uint8), torch.float64
    )
    torch.testing.assert_close(applied.flatten(), torch.tensor([1.0, 3.0, 1.0]).double())


def test_maps_with_channels_last_are_turned() -> None:
    name = "swin_tiny_patch4_window7_224"
    backbone = Backbone.create(name).eval()
    pictures = torch.rand(1, 3, 224, 224) * 255
    with torch.inference_mode():
        features = backbone(pictures)
        inputs = backbone.normalisation.apply(pictures, torch.float32)
        maps = backbone.model.forward_features(inputs)  # type: ignore[operator]
    assert maps.shape == (1, 7, 7, 768)
    torch.testing.assert_close(features, torch.cat([maps.amax((1, 2)), maps.mean((1, 2))], 1))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet34x", r"'resnet34x', which timm does not know. Did you mean one of resnet34, "),
        ("resnet34.nonsense", "'resnet34.nonsense': .*tag"),
    ],
)
def test_what_is_no_backbone_is_refused_by_name(name: str, sentence: str) -> None:
    with pytest.raises(UnsuitableBackboneError, match=f"backbone.name is {sentence}"):
        Backbone.create(name)


def test_a_written_backbone_loads_to_the_same_features(tmp_path: Path) -> None:
    backbone = small_backbone()
    about = {"architecture": "test_resnet", "mean": "[0.1, 0.2, 0.3]", "std": "[1.0, 2.0, 3.0]"}
    path = tmp_path / "backbone.safetensors"
    write_tensors(path, NamedTensors(backbone.model.state_dict(), about))
    loaded = load_backbone(path)
    assert loaded.normalisation == Normalisation((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert loaded.digest == backbone.digest
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    loaded.normalisation = backbone.normalisation
    assert torch.equal(loaded(PICTURES), backbone(PICTURES))


def test_weights_of_another_architecture_are_refused() -> None:
    tensors = small_backbone("test_efficientnet").model.state_dict()
    about = {"architecture": "test_resnet", "mean": json.dumps([0] * 3), "std": json.dumps([1] * 3)}
    with pytest.raises(UnsuitableBackboneError, match=r"here\.safetensors does not fit"):
        restore_backbone(about, tensors, "here.safetensors")


def test_the_digest_is_of_names_shapes_and_values() -> None:
    one = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    same = {"b": torch.ones(1), "a": torch.zeros(2, 3)}
    assert tensors_digest(one) == tensors_digest(same)
    others = [
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(1)},
        {"a": torch.zeros(2, 3), "b": torch.ones(1).double()},
    ]
    assert tensors_digest(one) not in {tensors_digest(other) for other in others}
