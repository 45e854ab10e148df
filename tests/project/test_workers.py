import threading
import time
from collections.abc import Iterator

import pytest

from headstart.project.workers import N_AHEAD, in_order, n_workers


@pytest.mark.parametrize("n", ["1", "3"])
def test_results_come_in_the_order_of_the_items(n: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_WORKERS", n)

    def slow_first(x: int) -> int:
        time.sleep(0.02 if x == 0 else 0)
        return x * x

    assert list(in_order(slow_first, range(20))) == [x * x for x in range(20)]


def test_few_items_are_taken_ahead_of_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_WORKERS", "2")
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    results = in_order(lambda x: x, items())
    next(results)
    assert taken <= 2 * N_AHEAD


def test_it_uses_as_many_threads_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_WORKERS", "3")
    meet = threading.Barrier(3)  # passes only when three are inside at once
    assert len(list(in_order(lambda _: meet.wait(timeout=10), range(3)))) == 3


def test_an_error_reaches_the_consumer() -> None:
    def fail(x: int) -> int:
        raise OSError(f"item {x}")

    with pytest.raises(OSError, match="item 0"):
        list(in_order(fail, range(100)))


def test_workers_are_what_the_environment_says() -> None:
    assert n_workers({"HEADSTART_WORKERS": "7"}) == 7
    assert n_workers({}) >= 1
    for wrong in ("0", "-1", "many", "1.5"):
        with pytest.raises(ValueError, match=f"HEADSTART_WORKERS is '{wrong}'"):
            n_workers({"HEADSTART_WORKERS": wrong})
