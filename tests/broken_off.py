"""Trainings that are broken off at a step, and go on from the state that they kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import TypeVar

import pytest
from torch import Tensor

from headstart.backbone.device import PLAIN_CPU
from headstart.network.checkpoints import Training
from headstart.project.report import Report, Shown, Silent
from headstart.training.kept_training import KeptTraining
from headstart.training.resume import Resume

T = TypeVar("T")
R = TypeVar("R")


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's own work folder; no state needs to outlive the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("headstart.kept.states.os.fsync", lambda _: None)


class Killed(BaseException):
    """What breaks a training off."""


class AStage:
    """The run of a stage, as far as its states need it."""

    name = "train-head"

    def __init__(self, **params: str) -> None:
        self.params: Mapping[str, str] = params
        self.said: list[str] = []
        self._ends: list[Callable[[], object]] = []

    def goes_on(self, where: str) -> None:
        self.said.append(where)

    def at_end(self, do: Callable[[], object]) -> None:
        self._ends.append(do)

    def ends_well(self) -> None:
        for do in self._ends:
            do()


class Breaks(Silent):
    """A report that breaks the training off when step `n` has been made; inf: never."""

    def __init__(self, n: float = inf) -> None:
        self._n, self.n_steps = n, 0
        self.logged: list[tuple[dict[str, float], int]] = []

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        for item in items:
            if self.n_steps >= self._n:
                raise Killed
            self.n_steps += 1
            yield item

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.logged.append((dict(values), step))


def at_each_step(stage: AStage, inputs: Sequence[Path] = ()) -> KeptTraining:
    """Keeps a state after each step."""
    return KeptTraining(stage, ("training",), inputs, PLAIN_CPU, share=inf, least_s=0.0)


def let_go(kept: KeptTraining) -> None:
    """What the end of a process does to its locks."""
    if kept._states:
        kept._states.release()


def broken_off(
    run: Callable[[Report, Resume], R], breaks: Sequence[int]
) -> tuple[R, AStage, Breaks]:
    """Run it, break it off at each of `breaks` (steps of that run), and let it end at last."""
    for n in breaks:
        kept = at_each_step(AStage())
        with pytest.raises(Killed):
            run(Breaks(n), kept)
        let_go(kept)
    stage, report = AStage(), Breaks()
    result = run(report, at_each_step(stage))
    assert states(), "the state stays until the stage has ended"
    stage.ends_well()
    assert not states()
    return result, stage, report


def states() -> list[Path]:
    """All states that are kept in the current folder."""
    return list(Path(".headstart/work/states").glob("*/*"))


def bits(tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def assert_same_training(one: Training, two: Training) -> None:
    assert bits(one.checkpoint.tensors) == bits(two.checkpoint.tensors)
    assert one.checkpoint.info == two.checkpoint.info
    assert one.epochs.to_csv() == two.epochs.to_csv()
    assert one.metrics == two.metrics
