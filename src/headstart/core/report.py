"""How a long step tells of its progress and its live metrics, without knowing who listens."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")


class Report(Protocol):
    """What a step may say while it works."""

    def progress(self, items: Iterable[T], n: int, label: str) -> Iterator[T]:
        """Yield `items` unchanged while showing how many of `n` are done."""
        ...

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Tell the metrics of one step (an epoch or an iteration, counted from 0)."""
        ...


class Silent:
    """A report that nobody listens to (tests, notebooks)."""

    def progress(self, items: Iterable[T], n: int, label: str) -> Iterator[T]:
        """Yield `items` unchanged."""
        yield from items

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""
