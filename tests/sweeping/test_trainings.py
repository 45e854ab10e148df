"""Trainings here wait until they are wanted; those in processes have one thread each, too."""

import os
import signal

import pytest
import torch

from headstart.project.errors import HeadstartError
from headstart.sweeping.objective import CachedSet
from headstart.sweeping.trainings import Trainings
from tests.sweeping.generated import cached_set


def where(cached: CachedSet, place: int) -> tuple[int, int, int]:
    assert cached.labels.classes
    calls.append(place)
    return place, os.getpid(), torch.get_num_threads()


calls: list[int] = []


def test_here_a_training_waits_until_it_is_wanted() -> None:
    n_threads = torch.get_num_threads()
    with Trainings(cached_set, 1) as trainings:
        results = [trainings.later(where, place) for place in (0, 1)]
        assert calls == []
        assert [result() for result in results] == [(k, os.getpid(), 1) for k in (0, 1)]
        assert calls == [0, 1]
    assert torch.get_num_threads() == n_threads


def test_a_process_of_its_own_opens_the_set_itself() -> None:
    with Trainings(cached_set, 2) as trainings:
        place, process, n_threads = trainings.later(where, 5)()
    assert (place, n_threads) == (5, 1) and process != os.getpid()


SENTENCE = r"^A process of the sweep has died, .* HEADSTART_WORKERS=1 needs less memory\.$"


def die(cached: CachedSet) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_ends_the_sweep_with_a_sentence() -> None:
    with Trainings(cached_set, 2) as trainings:
        with pytest.raises(HeadstartError, match=SENTENCE):
            trainings.later(die)()
        with pytest.raises(HeadstartError, match=SENTENCE):
            trainings.later(die)
