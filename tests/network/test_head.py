import pytest
import torch

from headstart.network.head import HeadParams, create_head, restore_head

COURSE = HeadParams(hidden_units=512, dropout=(0.25, 0.5))


@pytest.mark.parametrize(
    ("n_features", "n_classes", "n_parameters"),
    [(1024, 2, 528_898), (1024, 17, 536_593), (1024, 120, 589_432), (4096, 2, 2_107_906)],
)
def test_sizes_of_the_course(n_features: int, n_classes: int, n_parameters: int) -> None:
    head = create_head(n_features, n_classes, COURSE)
    assert sum(p.numel() for p in head.parameters()) == n_parameters


def test_order_and_initialisation() -> None:
    torch.manual_seed(0)
    head = create_head(1024, 10, COURSE)
    names = [type(layer).__name__ for layer in head]
    assert names == ["BatchNorm1d", "Dropout", "Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear"]
    assert [layer.p for layer in head if isinstance(layer, torch.nn.Dropout)] == [0.25, 0.5]
    state = head.state_dict()
    assert state["2.weight"].std().item() == pytest.approx((2 / 1024) ** 0.5, rel=0.01)
    assert not state["2.bias"].any() and not state["6.bias"].any()


def test_a_restored_head_says_the_same() -> None:
    head = create_head(8, 3, HeadParams(hidden_units=5, dropout=(0.1, 0.2))).eval()
    again = restore_head(head.state_dict(), (0.0, 0.0)).eval()
    features = torch.randn(4, 8)
    assert torch.equal(head(features), again(features))


def test_without_hidden_units_it_is_a_logistic_regression() -> None:
    params = HeadParams(hidden_units=0, dropout=(0.25, 0.5))
    head = create_head(6, 4, params)
    assert [type(layer).__name__ for layer in head] == ["BatchNorm1d", "Dropout", "Linear"]
    dropout, linear = list(head)[1:]
    assert isinstance(dropout, torch.nn.Dropout) and isinstance(linear, torch.nn.Linear)
    assert dropout.p == 0.5 and not linear.weight.any() and not linear.bias.any()
    with torch.no_grad():
        linear.weight.normal_(generator=torch.Generator().manual_seed(1))
    restored = restore_head(head.state_dict(), params.dropout).eval()
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(restored(x), head.eval()(x)) and restored(x).shape == (3, 4)
