"""Which of two networks is better, on scores of pictures that are made up."""

from typing import Literal

import numpy as np
import pytest

from headstart.network.objective import Scores
from headstart.scores.metrics import Floats
from headstart.training.stop_rule import StopRule, beyond_noise

BOTH = StopRule("both", stop=True, keep="best")


def scores(log_losses: Floats, of_pictures: Floats) -> Scores:
    return Scores(float(log_losses.mean()), float(of_pictures.mean()), log_losses, of_pictures)


def right(n: int, n_wrong: int, start: int = 0) -> Floats:
    """(n,): 0 for `n_wrong` pictures from number `start` on, 1 for the others."""
    values = np.ones(n)
    values[start : start + n_wrong] = 0
    return values


def pair(
    mean_of_gain: float, n: int, wrong: tuple[int, int], apart: int = 0, spread: float = 0.3
) -> tuple[Scores, Scores]:
    """Scores of a head and of a network, on n pictures.

    The network's log loss is lower by `mean_of_gain`, and the differences have a standard deviation
    of `spread`. `wrong` counts the wrong pictures of each; the network's begin at number `apart`.
    """
    generator = np.random.default_rng(0)
    losses, gains = generator.uniform(0.0, 0.8, n), generator.normal(size=n)
    gains = (gains - gains.mean()) / gains.std() * spread + mean_of_gain
    return (
        scores(losses, right(n, wrong[0])),
        scores(losses - gains, right(n, wrong[1], apart)),
    )


@pytest.mark.parametrize(
    ("n_better", "n_worse", "expected"),
    [
        (0, 0, False), (1, 0, False), (4, 0, False), (5, 0, True), (6, 1, False), (7, 1, True),
        (14, 6, False), (15, 5, True), (5, 15, False), (0, 9, False),
    ],
)  # fmt: skip
def test_of_right_and_wrong_it_is_mcnemars_test(
    n_better: int, n_worse: int, expected: bool
) -> None:
    gains = np.concatenate((np.ones(n_better), -np.ones(n_worse), np.zeros(130)))
    assert beyond_noise(gains) is expected
    if n_better + n_worse:
        mcnemar = (n_better - n_worse) / np.sqrt(n_better + n_worse)
        assert bool(mcnemar > 2) is expected


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([], False),
        ([5.0], False),  # one picture tells nothing
        ([0.1] * 4, False),  # the differences do not vary: their standard deviation is 0
        ([0.1] * 5, True),
        ([0.0] * 500, False),
        ([-0.1] * 500, False),
        ([9.0, *[0.001] * 20], False),  # one picture gained it all
    ],
)
def test_few_and_equal_differences(gains: list[float], expected: bool) -> None:
    assert beyond_noise(np.array(gains)) is expected


@pytest.mark.parametrize("apart", [0, 4, 8])
@pytest.mark.parametrize("gain", [0.01, 0.2])
def test_a_lower_log_loss_buys_no_accuracy(apart: int, gain: float) -> None:
    """Ants and bees: 145 of 153 right before fine-tuning, 141 after it, and its log loss fell."""
    head, tuned = pair(gain, 153, wrong=(8, 12), apart=apart)
    assert tuned.log_loss < head.log_loss and round(tuned.score, 3) == 0.922
    assert StopRule("log_loss", stop=True, keep="best").better(tuned, head)
    assert not BOTH.better(tuned, head) and not BOTH.better(head, tuned)
    assert BOTH.worse_first_cycle(tuned, head) is None  # it goes on: 4 pictures may be chance


def test_accuracy_that_may_be_chance_buys_no_log_loss() -> None:
    head, tuned = pair(-0.1, 153, wrong=(12, 8))
    assert StopRule("score", stop=True, keep="best").better(tuned, head)
    assert not BOTH.better(tuned, head) and not BOTH.better(head, tuned)
    head, tuned = pair(-0.1, 153, wrong=(12, 7))  # 5 to 0
    assert BOTH.better(tuned, head) and not BOTH.better(head, tuned)


def test_of_equal_scores_the_lower_log_loss_is_better() -> None:
    head, tuned = pair(1e-6, 153, wrong=(8, 8), apart=30)
    assert BOTH.better(tuned, head) and not BOTH.better(head, tuned)
    assert not BOTH.better(head, head)
    assert BOTH.worse_first_cycle(head, head) is None


def test_a_first_cycle_that_is_a_little_worse_goes_on() -> None:
    """The default's third seed: log loss 0.398 before, 0.409 after the first epoch."""
    head, first = pair(-0.011, 400, wrong=(60, 60))
    assert first.log_loss - head.log_loss == pytest.approx(0.011)
    assert BOTH.better(head, first)
    assert BOTH.worse_first_cycle(first, head) is None
    _, ruined = pair(-0.05, 400, wrong=(60, 60))
    found = BOTH.worse_first_cycle(ruined, head)
    assert found is not None and found.measures == ("log_loss",)


@pytest.mark.parametrize(
    ("gain", "wrong", "measures"),
    [
        (0.2, (60, 64), ()),
        (0.2, (60, 65), ("score",)),
        (-0.2, (60, 65), ("score", "log_loss")),
        (-0.2, (60, 60), ("log_loss",)),
        (-0.2, (60, 59), ()),  # the score is higher, if by chance
    ],
)
def test_what_is_worse_beyond_noise(
    gain: float, wrong: tuple[int, int], measures: tuple[str, ...]
) -> None:
    head, first = pair(gain, 400, wrong)
    found = BOTH.worse_first_cycle(first, head)
    assert (found.measures if found else ()) == measures
    if found:
        names = {"score": "f2", "log_loss": "log_loss"}
        told = found.named("multi_label")
        assert list(told) == [names[measure] for measure in measures]
        if "score" in measures:
            assert told["f2"] == {"before": head.score, "after": first.score}


def test_one_picture_in_valid_ends_nothing() -> None:
    head, first = scores(np.array([0.1]), np.ones(1)), scores(np.array([7.0]), np.zeros(1))
    assert BOTH.worse_first_cycle(first, head) is None
    assert BOTH.better(head, first) and not BOTH.better(first, head)


@pytest.mark.parametrize("monitor", ["log_loss", "score"])
def test_one_measure_alone_never_ends_it_all(monitor: Literal["log_loss", "score"]) -> None:
    head, first = pair(-0.5, 400, wrong=(60, 200))
    assert StopRule(monitor, stop=True, keep="best").worse_first_cycle(first, head) is None
    assert StopRule("both", stop=False, keep="best").worse_first_cycle(first, head) is None
    assert BOTH.worse_first_cycle(first, head) is not None
