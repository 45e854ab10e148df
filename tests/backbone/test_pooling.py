"""Maps and tokens become one vector a picture; what a network cannot give is refused."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from headstart.backbone.forms import AsPool, Pool
from headstart.backbone.pooling import N_PARTS, Layout, pooled
from headstart.backbone.timm_models import UnsuitableBackboneError

MAP = Layout("NCHW", 4)
TOKENS = Layout("NLC", 4, n_prefix=3, n_patches=6, has_class=True)  # class, two registers
NO_CLASS = Layout("NLC", 4, n_patches=6)
ONLY_CLASS = Layout("NLC", 4, n_prefix=1, n_patches=0, has_class=True)


def tokens() -> Tensor:
    return torch.arange(2 * 9 * 4.0).reshape(2, 9, 4)


@pytest.mark.parametrize(
    ("layout", "pool"),
    [(MAP, "concat"), (TOKENS, "token_avg"), (NO_CLASS, "avg"), (ONLY_CLASS, "token")],
)
def test_auto(layout: Layout, pool: Pool) -> None:
    assert layout.pool("auto", "a_net") == pool


@pytest.mark.parametrize("form", ["NCHW", "NHWC"])
def test_maps_of_either_memory_order(form: str) -> None:
    maps = torch.rand(2, 4, 3, 5)
    given = maps if form == "NCHW" else maps.permute(0, 2, 3, 1)
    layout = Layout(form, 4)  # type: ignore[arg-type]
    torch.testing.assert_close(
        pooled(given, "concat", layout), [maps.amax((2, 3)), maps.mean((2, 3))]
    )
    torch.testing.assert_close(pooled(given, "avg", layout), [maps.mean((2, 3))])


def test_registers_are_in_no_part() -> None:
    x = tokens()
    patches = x[:, 3:]
    expected = {
        "token": [x[:, 0]],
        "avg": [patches.mean(1)],
        "token_avg": [x[:, 0], patches.mean(1)],
        "concat": [patches.amax(1), patches.mean(1)],
    }
    assert expected.keys() == N_PARTS.keys()
    for pool, parts in expected.items():
        found = pooled(x, pool, TOKENS)  # type: ignore[arg-type]
        torch.testing.assert_close(found, parts)
        assert len(found) == N_PARTS[pool]  # type: ignore[index]


@pytest.mark.parametrize(
    ("layout", "pool", "sentence"),
    [
        (
            MAP,
            "token",
            "backbone.pool is token, but .*'a_net', .* no class token; set auto or concat",
        ),
        (NO_CLASS, "token_avg", "no class token"),
        (ONLY_CLASS, "avg", "no tokens of patches; set auto or token"),
    ],
)
def test_what_a_network_cannot_give(layout: Layout, pool: AsPool, sentence: str) -> None:
    with pytest.raises(UnsuitableBackboneError, match=sentence):
        layout.pool(pool, "a_net")


def test_the_layout_is_read_from_the_network() -> None:
    def of(shape: tuple[int, ...], **of_model: object) -> Layout:
        return Layout.of(SimpleNamespace(**of_model), torch.zeros(shape), "a_net")

    assert of((1, 4, 2, 3), num_features=4) == MAP
    assert of((1, 2, 3, 4), num_features=4) == of((1, 2, 3, 4), output_fmt="NHWC")
    assert of((1, 9, 4), num_prefix_tokens=3, cls_token=torch.zeros(1)) == TOKENS
    assert of((1, 6, 4)) == NO_CLASS
    assert not of((1, 9, 4), num_prefix_tokens=3, cls_token=None).has_class
    for features, found in ((torch.zeros(1, 4), r"the shape \(1, 4\)"), ([], "the type list")):
        with pytest.raises(UnsuitableBackboneError, match=f"'a_net', whose features have {found}"):
            Layout.of(SimpleNamespace(), features, "a_net")
