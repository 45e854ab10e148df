"""When a group of experiments has ended."""

import pytest

from headstart.commands.queue_status import N_MISSES, QueueStatus, Watch


def looks(watch: Watch, n: int, n_workers: int, **experiments: str) -> list[bool]:
    return [watch.look(QueueStatus(experiments, n_workers)) for _ in range(n)]


def test_a_group_has_ended_when_each_has_however_it_went() -> None:
    watch = Watch(["a", "b", "c"])
    looks(watch, 1, 2, a="Success", b="Running", c="Queued", other="Failed")
    assert not watch.done and watch.succeeded == {"a": True}
    assert str(watch) == "1 of 3 experiments ended, 1 running"
    looks(watch, 1, 2, a="Success", b="Failed", c="Success")
    assert watch.done and watch.succeeded == {"a": True, "b": False, "c": True}
    assert str(watch) == "3 of 3 experiments ended (1 failed), 0 running"


def test_one_that_is_not_seen_for_a_moment_has_not_ended() -> None:
    watch = Watch(["a"])
    for _ in range(3):
        looks(watch, N_MISSES - 1, 1)
        looks(watch, 1, 1, a="Running")
    assert not watch.done
    looks(watch, 1, 1, a="Success")
    assert watch.succeeded == {"a": True}


def test_one_that_was_removed_from_the_queue_has_failed() -> None:
    watch = Watch(["a", "b"])
    looks(watch, N_MISSES, 1, a="Success")
    assert watch.succeeded == {"a": True, "b": False}


def test_an_end_that_was_seen_is_kept_when_the_queue_forgets_it() -> None:
    watch = Watch(["a", "b"])
    looks(watch, 1, 1, a="Success", b="Running")
    looks(watch, 2 * N_MISSES, 1, b="Running")
    assert watch.succeeded == {"a": True} and not watch.done


@pytest.mark.parametrize("n_workers", [0, 1])
def test_workers_are_missed_only_where_none_is_and_something_waits(n_workers: int) -> None:
    watch = Watch(["a", "b"])
    starts = looks(watch, 2 * N_MISSES, n_workers, a="Running", b="Queued")
    assert starts.count(True) == (0 if n_workers else 2)
    assert starts.index(True) == N_MISSES - 1 if not n_workers else True
    assert not watch.done


def test_one_whose_worker_died_has_failed() -> None:
    watch = Watch(["a", "b"])
    assert looks(watch, N_MISSES, 0, a="Success", b="Running") == [False] * N_MISSES
    assert watch.succeeded == {"a": True, "b": False}
