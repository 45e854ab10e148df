"""Bars on the terminal: how far a step is, with its loss and score as they become known."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from headstart.project.report import Shown

T = TypeVar("T")

SHOW_EVERY_S = 1.0
"""Seconds between two losses that are shown: to read one, a GPU is waited for."""
KEPT = ("valid_loss", "valid_score")
"""Of the metrics that a step tells, what the bar of its epoch and those after it show."""


class Bars:
    """The bars of one stage on stderr; none where stderr is no terminal."""

    def __init__(self) -> None:
        self._kept: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._ended: Any = None  # the last bar, open until the score of its epoch is told

    def over(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` with a bar of `n` steps; `shown` gives numbers of an item, now and then."""
        from tqdm import tqdm

        self.close()
        bar: Any = tqdm(total=n, desc=label, file=sys.stderr, disable=None)
        if bar.disable:
            yield from items
            return
        self._shown, shown_at, last = {}, -SHOW_EVERY_S, n - 1
        try:
            for i, item in enumerate(items):
                yield item
                if shown and (i == last or time.monotonic() - shown_at > SHOW_EVERY_S):
                    self._shown, shown_at = dict(shown(item)), time.monotonic()
                    bar.set_postfix(self._shown | self._kept, refresh=False)
                bar.update()
        except BaseException:
            bar.close()
            raise
        self.close()
        if shown:
            self._ended = bar
        else:
            bar.close()

    def tell(self, values: Mapping[str, float]) -> None:
        """Show what was told of an epoch on its bar, and keep it for the bars after it."""
        self._kept |= {key: values[key] for key in KEPT if key in values}
        if self._ended is not None and self._kept:
            self._ended.set_postfix(self._shown | self._kept)
        self.close()

    def close(self) -> None:
        """End the line of the last bar."""
        if self._ended is not None:  # a bar of no steps is false
            self._ended.close()
            self._ended = None
