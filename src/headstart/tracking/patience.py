"""Gives up where MLflow takes too long over one thing: a run, a row, a file."""

from collections.abc import Callable, Sequence
from threading import Timer
from types import TracebackType
from typing import Final

BYTES_A_S: Final = 1e6
"""Bytes of a file for which MLflow gets a second more."""


class Patience:
    """A clock that starts anew with each thing that MLflow is told.

    Attributes:
        left: the things that MLflow has not taken yet, in the order in which they are told.
    """

    def __init__(
        self,
        seconds: float,
        left: Sequence[str],
        give_up: Callable[[str, float, Sequence[str]], object],
    ) -> None:
        """Start the clock of what comes before the first thing: the connection.

        Args:
            seconds: that MLflow has for each thing.
            left: the things to tell, in order.
            give_up: called in another thread with what MLflow did not take, in how many seconds, and
                with `left`; it has to end the process, as nothing less ends a call that hangs.
        """
        self.left = list(left)
        self._seconds, self._give_up = seconds, give_up
        self._timer: Timer | None = None
        self.begin("the connection")

    def begin(self, thing: str, n_bytes: int = 0) -> None:
        """Start the clock anew: all before `thing`, which has `n_bytes`, has been taken.

        A thing that is not in `left`, such as a file, belongs to the one before.
        """
        self._stop()
        if thing in self.left:
            del self.left[: self.left.index(thing)]
        seconds = self._seconds + n_bytes / BYTES_A_S
        self._timer = Timer(seconds, self._give_up, [thing, seconds, self.left])
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    def __enter__(self) -> "Patience":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
