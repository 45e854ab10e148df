"""The interface through which a long step reports its progress and its live metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")

Shown = Callable[[T], Mapping[str, float]]
"""Gives the numbers of an item that are shown beside the bar: name -> number."""


class Report(Protocol):
    """Takes the progress and the live metrics of a step; the step does not know where they go."""

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` unchanged while showing how many of `n` are done.

        `shown` may wait for a GPU, so it is called for few of the items, and only if the bar is seen.
        """
        ...

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Report the metrics of one step (an epoch or an iteration, counted from 0)."""
        ...


class Silent:
    """A report that shows and keeps nothing (tests, notebooks)."""

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` unchanged."""
        yield from items

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""
