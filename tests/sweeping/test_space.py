"""What is searched: the default, and what the user asks for."""

import pytest

from headstart.project.errors import HeadstartError
from headstart.sweeping.settings import value_at
from headstart.sweeping.space import (
    Choices,
    Dimension,
    Range,
    default_space,
    narrowed,
    parse_dimension,
)
from tests.sweeping.generated import values


def test_the_default_holds_the_present_values() -> None:
    own = values()
    own["head"]["dropout"] = [0.9, 0.5]
    own["train_head"]["lr"] = 0.5
    space = default_space(own, [10, 20])
    assert all(dimension.holds(value_at(own, dimension.key)) for dimension in space)
    of_key = {dimension.key: dimension for dimension in space}
    assert of_key["head.dropout.0"] == Range("head.dropout.0", 0.0, 0.9)
    assert of_key["train_head.lr"] == Range("train_head.lr", 0.001, 0.5)
    assert of_key["head.hidden_units"].ends() == [0, 64, 128, 256, 512, 8]


def test_a_rate_from_the_range_test_is_searched_as_a_number() -> None:
    own = values()
    own["train_head"]["lr"] = "auto"
    [of_lr] = [d for d in default_space(own, [10]) if d.key == "train_head.lr"]
    assert of_lr == Range("train_head.lr", 1e-3, 1e-1)


def test_classes_of_one_size_need_no_balance() -> None:
    keys = [[d.key for d in default_space(values(), sizes)] for sizes in ([10, 10], [10, 20])]
    assert set(keys[1]) - set(keys[0]) == {"sampling.balance"}


def test_each_phase_has_its_own_rate() -> None:
    own = values()
    own["train_augmented"]["phases"] *= 2
    keys = [dimension.key for dimension in default_space(own, [1])]
    assert "train_augmented.phases.1.lr" in keys and "train_augmented.phases.2.lr" not in keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train_head.lr=1e-4:1e-1", Range("train_head.lr", 1e-4, 1e-1)),
        ("train_head.n_epochs=1:4", Range("train_head.n_epochs", 1, 4)),
        ("head.dropout.0=0:1", Range("head.dropout.0", 0.0, 1.0)),
        ("head.hidden_units=0,512", Choices("head.hidden_units", (0, 512))),
        ("optimizer_head.name=sgd,adamw", Choices("optimizer_head.name", ("sgd", "adamw"))),
        ("optimizer_head.weight_decay=0,1e-3", Choices("optimizer_head.weight_decay", (0.0, 1e-3))),
    ],
)
def test_the_user_names_ranges_and_choices(text: str, expected: Dimension) -> None:
    found = parse_dimension(text, values())
    assert found == expected
    assert [type(end) for end in found.ends()] == [type(end) for end in expected.ends()]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("train_head.lr", r"'train_head\.lr' must be KEY=LOW:HIGH or KEY=A,B,C"),
        (
            "train_head.rate=1:2",
            r"train_head\.rate does not exist: train_head has lr, n_epochs, seed",
        ),
        ("train_head.lr=0.1:0.01", r"LOW must be below HIGH"),
        ("train_head.lr=nan:1", r"LOW must be below HIGH"),
        ("train_head.lr=low:high", r"the ends of a range must be numbers"),
        ("train_head.seed=0,1", r"without seeds and sizes"),
        ("augment.max_zoom=1:2", r"headstart sweep N --queue --only --search augment\.max_zoom="),
        ("head.dropout=0:1", r"name one value, such as head\.dropout\.0"),
    ],
)
def test_what_cannot_be_searched_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(HeadstartError, match=sentence):
        parse_dimension(text, values())


def test_the_users_range_takes_the_place_of_the_default() -> None:
    space: list[Dimension] = [Range("a", 0.0, 1.0), Choices("b", (1, 2))]
    own: list[Dimension] = [Choices("c", (3, 4)), Range("a", 0.2, 0.4)]
    assert narrowed(space, own) == [own[1], space[1], own[0]]


def test_a_scale_is_logarithmic_from_a_factor_of_ten_on() -> None:
    assert Range("lr", 1e-3, 1e-2).log and not Range("lr", 1e-3, 9e-3).log
    assert not Range("dropout", 0.0, 0.7).log


def test_what_is_tried_has_three_digits_and_stays_in_the_range() -> None:
    rate = Range("lr", 0.00123456, 0.1)
    assert rate.tried(0.0345678) == 0.0346
    assert rate.tried(0.00123456) == 0.00123456  # 0.00123 is below the range
    assert Range("n", 1, 4).tried(3) == 3 and type(Range("n", 1, 4).tried(3)) is int
    assert Choices("balance", ("none", "weights")).tried("weights") == "weights"
