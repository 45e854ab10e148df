"""Progress bars on the terminal, with the loss and score of a step as they become known."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from headstart.project.report import Shown

T = TypeVar("T")

SHOW_EVERY_S = 1.0
"""Seconds between two losses that are shown; reading a loss waits for the GPU."""
KEPT = ("valid_loss", "valid_score")
"""The metrics of an epoch that its own bar and the bars after it show."""


class Bars:
    """The bars of one stage on stderr; none where stderr is no terminal."""

    def __init__(self) -> None:
        self._kept: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._ended: Any = None  # the last bar, open until the score of its epoch arrives

    def over(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        """Yield `items` with a bar of `n` steps; `shown` gives the numbers of some items."""
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
        """Show the metrics of an epoch on its bar, and keep them for the bars after it."""
        self._kept |= {key: values[key] for key in KEPT if key in values}
        if self._ended is not None and self._kept:
            self._ended.set_postfix(self._shown | self._kept)
        self.close()

    def close(self) -> None:
        """End the line of the last bar."""
        if self._ended is not None:  # not its truth value: a bar of no steps is false
            self._ended.close()
            self._ended = None
