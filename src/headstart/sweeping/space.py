"""The values that a sweep tries: a range or a list of choices for each dotted key."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.project.errors import HeadstartError
from headstart.sweeping.settings import Value, value_at, yaml_scalar

SEARCHED = ("head", "optimizer_head", "sampling", "train_head", "train_augmented")
"""The sections that the training of the head reads."""
DIGITS = 3  # significant ones of a number that is tried, so that the patch can be read
LOG_FROM = 10  # a range whose ends differ by this factor or more has a logarithmic scale


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included; whole ones if both are int."""

    key: str
    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def log(self) -> bool:
        """Whether numbers are drawn on a logarithmic scale."""
        return self.low > 0 and self.high >= LOG_FROM * self.low

    def holds(self, value: object) -> bool:
        """Whether `value` is one of them."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    def tried(self, drawn: Any) -> Value:
        """A number that was drawn, as it is tried: to 3 digits, and within the range."""
        if self.whole:
            return int(drawn)
        return min(max(float(f"{drawn:.{DIGITS}g}"), float(self.low)), float(self.high))

    def ends(self) -> list[Value]:
        """The values that stand for all: if both ends are allowed, so is what lies between."""
        return [self.low, self.high]

    def __str__(self) -> str:
        return f"{yaml_scalar(self.low)} to {yaml_scalar(self.high)}{', log' * self.log}"


@dataclass(frozen=True)
class Choices:
    """A few values, in no order."""

    key: str
    values: tuple[Value, ...]

    def holds(self, value: object) -> bool:
        """Whether `value` is one of them."""
        return value in self.values

    def tried(self, drawn: Any) -> Value:
        """The choice that was drawn."""
        value: Value = drawn
        return value

    def ends(self) -> list[Value]:
        """All of them."""
        return list(self.values)

    def __str__(self) -> str:
        return ", ".join(map(yaml_scalar, self.values))


Dimension = Range | Choices


def default_space(values: Mapping[str, Any], class_sizes: Sequence[int]) -> list[Dimension]:
    """What is searched unless the user says otherwise; each also holds the present value.

    Args:
        values: the sections of params.yaml, all right.
        class_sizes: pictures of each class in train; `sampling` is searched where they differ.
    """
    # fmt: off
    space: list[Dimension] = [
        Choices("head.hidden_units", (0, 64, 128, 256, 512)),
        Range("head.dropout.0", 0.0, 0.7),
        Range("head.dropout.1", 0.0, 0.7),
        Choices("optimizer_head.weight_decay", (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
        Choices("optimizer_head.batch_size", (64, 128, 256)),
    ]
    # fmt: on
    if len(set(class_sizes)) > 1:
        space.append(Choices("sampling.balance", ("none", "oversample", "weights")))
    space += [Range("train_head.lr", 1e-3, 1e-1), Range("train_head.n_epochs", 1, 6)]
    for n in range(len(values["train_augmented"]["phases"])):
        phase = f"train_augmented.phases.{n}"
        space += [Range(f"{phase}.lr", 1e-3, 1e-1), Range(f"{phase}.cycles", 1, 6)]
    return [_with_present(dimension, value_at(values, dimension.key)) for dimension in space]


def narrowed(space: Iterable[Dimension], own: Iterable[Dimension]) -> list[Dimension]:
    """The space with the user's own dimensions in the place of those with the same keys.

    Keys that the space lacks are added at its end.
    """
    of_key = {dimension.key: dimension for dimension in space}
    return list((of_key | {dimension.key: dimension for dimension in own}).values())


def parse_dimension(text: str, values: Mapping[str, Any], queued: bool = False) -> Dimension:
    """`KEY=LOW:HIGH` or `KEY=A,B,C` as a dimension.

    A range is of whole numbers if its ends and the present value are.

    Args:
        text: what the user wrote.
        values: the sections of params.yaml.
        queued: whether the whole pipeline runs, so that all but seeds can be searched.

    Raises:
        HeadstartError: the text has another form, or the sweep cannot search the key.
    """
    key, equals, wanted = text.partition("=")
    if not equals or not key or not wanted:
        raise HeadstartError(
            f"--search {text!r} must be KEY=LOW:HIGH or KEY=A,B,C, such as train_head.lr=1e-3:0.1."
        )
    present = value_at(values, key)
    _require_searched(key, present, queued)
    low, colon, high = wanted.partition(":")
    if not colon:
        return Choices(
            key, tuple(dict.fromkeys(_value(part, present) for part in wanted.split(",")))
        )
    ends = [_value(end, present) for end in (low, high)]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        raise HeadstartError(f"--search {text!r}: the ends of a range must be numbers.")
    first, last = (float(end) for end in ends)
    if not (math.isfinite(first) and math.isfinite(last) and first < last):
        raise HeadstartError(f"--search {text!r}: LOW must be below HIGH.")
    if all(isinstance(end, int) for end in (*ends, present)):
        return Range(key, int(first), int(last))
    return Range(key, first, last)


def _require_searched(key: str, present: object, queued: bool) -> None:
    section, last = key.split(".")[0], key.split(".")[-1]
    if queued and last == "seed":
        raise HeadstartError(f"--search {key}: `headstart seeds` compares seeds.")
    if not queued and (section not in SEARCHED or last in ("seed", "trainable", "size_px")):
        raise HeadstartError(
            f"--search {key}: a sweep trains the head on cached activations, so it searches "
            f"{', '.join(SEARCHED)}, without seeds and sizes. To try other keys: "
            f"headstart sweep N --queue --only --search {key}=..."
        )
    if isinstance(present, dict | list):
        raise HeadstartError(f"--search {key}: name one value, such as {key}.0.")


def _value(text: str, present: object) -> Value:
    """A number where the text is one, in the type that the file has there; otherwise the text."""
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if isinstance(present, int) else float(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _with_present(dimension: Dimension, present: Any) -> Dimension:
    """The dimension, widened to hold the present value."""
    if dimension.holds(present) or isinstance(present, str):
        return dimension  # lr: auto stands for a number that the range test finds
    if isinstance(dimension, Choices):
        return Choices(dimension.key, (*dimension.values, present))
    return Range(dimension.key, min(dimension.low, present), max(dimension.high, present))
