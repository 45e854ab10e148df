"""The states of experiments in DVC's queue, followed from look to look."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

N_MISSES = 5
"""Looks in a row that must agree that an experiment, or every worker, is gone. A single look may fall
between two states of the queue, or come before a worker has started."""

SUCCESS, FAILED, QUEUED, RUNNING = "Success", "Failed", "Queued", "Running"


@dataclass(frozen=True)
class QueueStatus:
    """One look at the queue.

    Attributes:
        experiments: name -> Queued, Running, Failed or Success.
        n_workers: processes that work on the queue, busy or not.
    """

    experiments: dict[str, str]
    n_workers: int


class Watch:
    """Follows a group of experiments from look to look until all have ended."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are the names of queued experiments."""
        self.succeeded: dict[str, bool] = {}
        """Name -> whether it succeeded, for each experiment that has ended."""
        self.n_running = 0
        self._names = names
        self._n_missed: Counter[str] = Counter()
        self._n_idle = 0

    @property
    def done(self) -> bool:
        """Whether all experiments have ended."""
        return len(self.succeeded) == len(self._names)

    def __str__(self) -> str:
        n_ended, n_failed = len(self.succeeded), list(self.succeeded.values()).count(False)
        failed = f" ({n_failed} failed)" if n_failed else ""
        return (
            f"{n_ended} of {len(self._names)} experiments ended{failed}, {self.n_running} running"
        )

    def look(self, status: QueueStatus) -> bool:
        """Take in one look; return whether workers must be started again.

        An experiment that has left the queue, or runs while no worker is alive, has failed.
        """
        states = {name: status.experiments.get(name) for name in self._names}
        for name, state in states.items():
            self._n_missed[name] = 0 if state else self._n_missed[name] + 1
            if state in (SUCCESS, FAILED):
                self.succeeded[name] = state == SUCCESS
            elif self._n_missed[name] >= N_MISSES:
                self.succeeded.setdefault(name, False)
        self.n_running = list(states.values()).count(RUNNING)
        self._n_idle = 0 if status.n_workers else self._n_idle + 1
        if self._n_idle < N_MISSES:
            return False
        self._n_idle = 0
        if QUEUED in states.values():
            return True
        self.succeeded = dict.fromkeys(self._names, False) | self.succeeded
        return False
