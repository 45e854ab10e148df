"""The clock by which `headstart sync` gives up."""

from collections.abc import Sequence
from threading import Event

from headstart.tracking.patience import Patience

Late = tuple[str, float, list[str]]


class Kept:
    """What was given up, and when."""

    def __init__(self) -> None:
        self.late: list[Late] = []
        self.came = Event()

    def __call__(self, thing: str, seconds: float, left: Sequence[str]) -> None:
        self.late.append((thing, seconds, list(left)))
        self.came.set()


def test_it_names_what_is_late_and_all_that_is_left() -> None:
    kept = Kept()
    with Patience(0.05, ["a", "b", "c"], kept) as patience:
        patience.begin("a", 0)
        patience.begin("b", 0)
        patience.begin("a file of b", 10_000)
        assert kept.came.wait(60)
    [(thing, seconds, left)] = kept.late
    assert (thing, left) == ("a file of b", ["b", "c"])
    assert abs(seconds - 0.06) < 1e-9


def test_the_connection_counts_too() -> None:
    kept = Kept()
    with Patience(0.05, ["a"], kept):
        assert kept.came.wait(60)
    assert kept.late == [("the connection", 0.05, ["a"])]


def test_each_thing_has_the_whole_time_and_the_end_stops_the_clock() -> None:
    kept = Kept()
    with Patience(1000.0, ["a", "b"], kept) as patience:
        timers = [patience._timer]
        for thing in ("a", "b"):
            patience.begin(thing)
            timers.append(patience._timer)
    for timer in timers:
        assert timer is not None
        timer.join(60)
        assert not timer.is_alive()
    assert kept.late == [] and patience.left == ["b"]
