"""Bars: what they show, when they ask for it, and that they show nothing where nobody looks."""

import io
import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import pytest

from headstart.terminal import bars
from headstart.terminal.bars import Bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    # not sys.stderr itself, which pytest sets anew between a fixture and its test
    monkeypatch.setattr(bars, "sys", SimpleNamespace(stderr=terminal))
    return terminal


def lines_of(terminal: Terminal) -> list[str]:
    """What each line shows in the end."""
    return [line.split("\r")[-1].rstrip() for line in terminal.getvalue().split("\n")]


class Losses:
    """Counts how often the loss of a step is read: a GPU is waited for each time."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __call__(self, step: int) -> Mapping[str, float]:
        self.read.append(step)
        return {"loss": step / 10}


def test_the_bar_of_an_epoch_ends_with_its_own_loss_and_score(terminal: Terminal) -> None:
    shown = Bars()
    for epoch in range(2):
        assert list(shown.over(range(5), 5, f"epoch {epoch + 1}", Losses())) == [0, 1, 2, 3, 4]
        values = {"epoch": epoch, "train_loss": 9.0, "valid_loss": 0.3, "valid_score": 0.8 + epoch}
        shown.tell(values)
    first, second, rest = lines_of(terminal)
    assert first.startswith("epoch 1: 100%") and second.startswith("epoch 2: 100%")
    assert first.endswith("loss=0.4, valid_loss=0.3, valid_score=0.8]")
    assert second.endswith("loss=0.4, valid_loss=0.3, valid_score=1.8]")
    assert rest == ""


def test_the_last_score_is_shown_while_the_next_epoch_runs(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Bars()
    shown.tell({"valid_score": 0.75})
    monkeypatch.setattr(bars, "SHOW_EVERY_S", 0.0)
    steps = shown.over(range(3), 3, "epoch 2", Losses())
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert re.search(r"loss=0, valid_score=0\.75", terminal.getvalue())


def test_a_loss_is_read_at_the_first_and_last_step_and_once_a_second(terminal: Terminal) -> None:
    losses = Losses()
    list(Bars().over(range(1000), 1000, "epoch 1", losses))
    assert losses.read[0] == 0 and losses.read[-1] == 999
    assert len(losses.read) < 10


def test_no_loss_is_read_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "sys", SimpleNamespace(stderr=io.StringIO()))
    losses = Losses()
    assert list(Bars().over(range(3), 3, "epoch 1", losses)) == [0, 1, 2]
    assert losses.read == []


def test_bars_that_are_broken_off_or_nested_leave_whole_lines(terminal: Terminal) -> None:
    shown = Bars()

    def inner() -> Iterator[int]:
        yield from shown.over(range(2), 2, "decode")

    assert list(shown.over(inner(), 2, "copy")) == [0, 1]
    assert list(shown.over([], 0, "nothing", Losses())) == []
    steps = shown.over(iter(range(9)), 9, "rates", Losses())
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        list(shown.over((1 // 0 for _ in range(3)), 3, "epoch 1", Losses()))
    shown.close()
    assert terminal.getvalue().endswith("\n")
    # a bar inside another moves the cursor up and down; the others have a line each
    for label in ("nothing", "rates", "epoch 1"):
        assert sum(label in line for line in lines_of(terminal)) == 1
