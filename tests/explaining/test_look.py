"""Where a network looked: on the thing that it was trained to see, at no other prediction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import PLAIN_CPU
from headstart.backbone.forms import AsPool
from headstart.backbone.seeding import torch_seed
from headstart.explaining.look import Look, scaled
from headstart.network.head import HeadParams, create_head
from headstart.network.network import Network
from headstart.project.errors import HeadstartError

CLASSES = torch.tensor([0, 2, 1])


def network_of(name: str, px: int, pool: AsPool = "auto") -> Network:
    """timm's architecture for inputs of px, with fixed random weights and three classes."""
    with torch_seed("explained"):
        backbone = Backbone.create(name, pool, [px]).eval().requires_grad_(False)
        params = HeadParams(hidden_units=16, dropout=(0.25, 0.5))
        return Network(backbone, create_head(backbone.n_features, 3, params)).eval()


def noise(px: int, n: int = 3) -> Tensor:
    values = np.random.default_rng(0).integers(0, 256, (n, 3, px, px), dtype=np.uint8)
    return torch.from_numpy(values)


@pytest.mark.parametrize(
    ("name", "px", "pool", "side"),
    [
        ("resnet18", 96, "concat", 3),
        ("tf_efficientnet_lite0", 64, "avg", 2),
        ("convnext_atto", 96, "concat", 3),
        ("swin_tiny_patch4_window7_224", 64, "auto", 2),
        ("vit_tiny_patch16_224", 64, "token", 4),
        ("vit_tiny_patch16_224", 64, "token_avg", 4),
        ("mixer_s32_224", 224, "concat", 7),
    ],
)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_its_logits_are_those_of_the_prediction_and_its_maps_are_in_parts_of_their_maximum(
    name: str, px: int, pool: AsPool, side: int, precision: torch.dtype
) -> None:
    network, pictures = network_of(name, px, pool), noise(px)
    network.backbone.on(replace(PLAIN_CPU, inference_dtype=precision))
    look = Look(network, pictures)
    with torch.inference_mode():
        assert torch.equal(look.logits, network(pictures))
    heat = look.heat(CLASSES)
    assert heat.shape == (3, side, side) and heat.dtype == torch.float32
    assert not heat.requires_grad and heat.min() >= 0
    assert {1} <= set(heat.amax((1, 2)).tolist()) <= {0, 1}
    assert not torch.equal(heat, look.heat(CLASSES.roll(1)))
    assert torch.equal(heat, look.heat(CLASSES)), "a look can be asked again"
    assert torch.is_grad_enabled()


def test_it_is_grad_cam() -> None:
    """As it is usually written: two hooks around the last stage, and a pass for each picture."""
    network, pictures = network_of("resnet18", 96, "concat"), noise(96)
    seen: list[Tensor] = []
    last = network.backbone.model.get_submodule("layer4")
    last.register_forward_hook(lambda module, given, gave: seen.append(gave))
    look, n_maps = Look(network, pictures), 0
    network.requires_grad_(True)
    for number in range(3):
        heat = look.heat(torch.full((3,), number))
        for row in range(3):
            seen.clear()
            score = network(pictures[row : row + 1])[0, number]
            (slopes,) = torch.autograd.grad(score, seen)
            cam = functional.relu((slopes.mean((2, 3), keepdim=True) * seen[0]).sum(1))[0]
            if cam.any():
                n_maps += 1
                cam = cam / cam.max()
            torch.testing.assert_close(heat[row], cam, atol=1e-4, rtol=1e-3)
    assert n_maps >= 4


def test_of_a_transformer_it_is_gradient_times_token_before_the_class_token_reads_them() -> None:
    network, pictures = network_of("vit_tiny_patch16_224", 64, "token"), noise(64)
    heat = Look(network, pictures).heat(CLASSES)
    network.requires_grad_(True)
    entered: list[Tensor] = []
    last = network.backbone.model.get_submodule("blocks.11.attn")
    last.register_forward_pre_hook(lambda module, given: entered.append(given[0]))
    logits = network(pictures)
    (slopes,) = torch.autograd.grad(logits[range(3), CLASSES].sum(), entered)
    maps = (entered[0] * slopes).sum(2)[:, 1:].relu().reshape(3, 4, 4)
    torch.testing.assert_close(heat, scaled(maps).detach(), atol=1e-4, rtol=1e-3)


def test_a_map_where_nothing_speaks_for_the_class_is_0() -> None:
    network = network_of("test_resnet", 64)
    network.head.get_submodule("6").requires_grad_(False).get_parameter("weight").zero_()
    assert not Look(network, noise(64)).heat(CLASSES).any()


def test_tokens_that_cannot_be_laid_over_a_picture_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = network_of("test_vit", 64, "token")
    monkeypatch.setattr("headstart.explaining.look._last_attention", lambda backbone: None)
    with pytest.raises(HeadstartError, match="reads the class token of test_vit alone"):
        Look(network, noise(64))
    layout = network.backbone.layout
    network.backbone.layout = replace(layout, n_prefix=layout.n_prefix + 1)
    with pytest.raises(HeadstartError, match="gives 15 tokens of patches, which form no square"):
        Look(network, noise(64))


def test_what_enters_a_module_and_is_no_token_of_a_patch_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last tokens are asked in its place."""
    network, pictures = network_of("test_vit", 64, "token_avg"), noise(64)
    found = []
    for name in ("patch_embed", None):
        module = network.backbone.model.get_submodule(name) if name else None
        monkeypatch.setattr("headstart.explaining.look._last_attention", lambda _, m=module: m)
        found.append(Look(network, pictures).heat(CLASSES))
    assert torch.equal(*found) and found[0].max() == 1


PX, SIDE = 128, 40


def squares(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise with a red, green or blue square at a random place; its colour; its middle (n, 2) px."""
    random = np.random.default_rng(seed)
    pictures = random.integers(60, 196, (n, 3, PX, PX), dtype=np.uint8)
    colours, corners = random.integers(0, 3, n), random.integers(0, PX - SIDE, (n, 2))
    for picture, colour, (top, left) in zip(pictures, colours, corners, strict=True):
        picture[:, top : top + SIDE, left : left + SIDE] = 0
        picture[colour, top : top + SIDE, left : left + SIDE] = 255
    middles = torch.from_numpy(corners) + SIDE / 2
    return torch.from_numpy(pictures), torch.from_numpy(colours), middles


@pytest.mark.parametrize(("name", "lr"), [("test_resnet", 3e-3), ("test_vit", 1e-3)])
def test_a_trained_network_looks_at_what_it_names(name: str, lr: float) -> None:
    network = network_of(name, PX).train().requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), lr)
    with torch_seed("dropout"):
        for step in range(50):
            pictures, colours, _ = squares(16, seed=step)
            optimizer.zero_grad()
            functional.cross_entropy(network(pictures), colours).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    network.eval().requires_grad_(False)
    pictures, colours, middles = squares(24, seed=999)
    look = Look(network, pictures)
    assert (look.logits.argmax(1) == colours).all()
    heat = look.heat(colours)  # (24, h, h)
    side = heat.shape[1]
    cell = PX / side
    hottest = heat.flatten(1).argmax(1)
    at = torch.stack([hottest // side, hottest % side], 1) * cell + cell / 2
    on_square = ((at - middles).abs() < SIDE / 2 + cell / 2).all(1)
    assert on_square.sum() >= 22, "the hottest cell touches the square"
