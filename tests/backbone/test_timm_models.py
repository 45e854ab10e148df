"""Networks of timm's: built for sizes that are not their own, pooled, trained and restored."""

import pytest
import torch
from bench.networks import walked

from headstart.backbone.backbone import Backbone
from headstart.backbone.seeding import torch_seed
from headstart.backbone.timm_models import UnsuitableBackboneError, built, takes

PLAIN = {"global_pool": ""}


@pytest.mark.parametrize(
    ("name", "pool", "options"),
    [
        ("test_resnet", "concat", PLAIN),
        ("test_convnext", "concat", PLAIN),
        ("test_vit", "token_avg", {"dynamic_img_size": True}),  # a class token
        ("vit_dwee_patch16_reg1_gap_256", "avg", {"dynamic_img_size": True}),  # a register
        ("swin_tiny_patch4_window7_224", "concat", PLAIN | {"strict_img_size": False}),
        ("mixer_s32_224", "avg", {"img_size": 64}),  # patches alone
    ],
)
def test_one_network_of_each_kind_does_what_the_stages_do(
    name: str, pool: str, options: dict[str, object]
) -> None:
    found = walked(name)
    assert found["outcome"] == "fits", found
    assert (found["size_px"], found["pool"], found["options"]) == (64, pool, options)


def test_a_transformer_takes_several_sizes() -> None:
    backbone = Backbone.create("test_vit", "avg", [64, 96]).eval()
    for px in (64, 96):
        assert backbone(torch.zeros(1, 3, px, px)).shape == (1, backbone.n_features) == (1, 64)


def test_a_network_for_one_size_says_so() -> None:
    assert takes("mixer_s32_224", 64) and takes("mixer_s32_224", 96)
    with pytest.raises(
        UnsuitableBackboneError, match=r"one size at a time.*64, 96 px: set cached_px"
    ):
        built("mixer_s32_224", [64, 96])


def test_attempts_that_fail_leave_the_weights_as_they_are() -> None:
    def weights(sizes: list[int]) -> torch.Tensor:
        with torch_seed(0):
            return next(built("test_vit", sizes).model.parameters()).clone()

    assert torch.equal(weights([160]), weights([64]))
