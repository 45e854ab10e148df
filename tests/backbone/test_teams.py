"""Two teams of threads share torch's threads, and give their results in order."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import cast

import pytest
import torch

from headstart.backbone.teams import Teams

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four_threads(torch_threads: Callable[[int], None]) -> None:
    torch_threads(4)


def found() -> Teams:
    teams = Teams.of(CPU)
    assert teams
    return teams


def test_each_has_half_of_the_threads_and_all_others_keep_theirs() -> None:
    at_once = threading.Barrier(2)

    def n_own(_: int) -> int:
        at_once.wait()  # ends only if both teams are here
        return torch.get_num_threads()

    assert found().both(n_own, [0, 1]) == [2, 2]
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), later) == (4, [4])


def test_results_come_in_order_and_few_are_taken_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(20):
            taken.append(i)
            yield i

    for number, result in enumerate(found().each(lambda i: i * i, items())):
        assert result == number**2
        assert len(taken) <= number + 3


def test_nothing_runs_any_more_once_it_has_ended() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(i: int) -> int:
        if i == 1:
            begun.set()
            time.sleep(0.2)
            ended.set()
        return i

    results = cast(Generator[int], found().each(work, range(9)))
    with closing(results):
        next(results)
        assert begun.wait(10)
    assert ended.is_set()
    with pytest.raises(ZeroDivisionError):
        found().both(lambda i: 1 // i, [1, 0])


@pytest.mark.parametrize("n", [1, 3])
def test_an_odd_number_of_threads_makes_one_team(
    n: int, torch_threads: Callable[[int], None]
) -> None:
    torch_threads(n)
    assert Teams.of(CPU) is None


def test_a_gpu_and_plain_networks_have_one_team(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Teams.of(torch.device("cuda")) is None
    monkeypatch.setenv("HEADSTART_PLAIN", "1")
    assert Teams.of(CPU) is None
