"""How a long step tells of its progress and its live metrics, without knowing who listens."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")

Shown = Callable[[T], Mapping[str, float]]
"""Numbers of an item to show beside the bar: name -> number."""


class Report(Protocol):
    """What a step may say while it works."""

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` unchanged while showing how many of `n` are done.

        `shown` may wait for a GPU: it is called of few of the items, and where somebody looks.
        """
        ...

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Tell the metrics of one step (an epoch or an iteration, counted from 0)."""
        ...


class Silent:
    """A report that nobody listens to (tests, notebooks)."""

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` unchanged."""
        yield from items

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""
