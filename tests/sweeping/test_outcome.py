"""One trial: ended where it is hopeless, trained again while it is promising, or diverged."""

import pytest

from headstart.sweeping.objective import HeadParamsOfAll, Measure
from headstart.sweeping.outcome import SEEDS_OF_BEST, Limits, train_trial
from headstart.sweeping.settings import with_settings
from tests.sweeping.generated import PARAMS, WHY, cached_set, diverge, values

CACHED, OF = cached_set(), HeadParamsOfAll.of(values(), PARAMS)


@pytest.mark.parametrize("measure", ["log_loss", "score"])
def test_a_promising_trial_is_trained_with_other_seeds(measure: Measure) -> None:
    outcome = train_trial(CACHED, OF, Limits(), measure)
    again = [CACHED.train(OF.other_seed(number)) for number in (0, *SEEDS_OF_BEST)]
    assert outcome.scores == [(scores.log_loss, scores.score) for scores in again]
    assert set(outcome.seen) == {1, 2, 3} and not outcome.diverged and outcome.seconds > 0
    first = again[0].log_loss if measure == "log_loss" else -again[0].score
    once = train_trial(CACHED, OF, Limits(promising=first - 1e-6), measure)
    assert once.scores == outcome.scores[:1]


def test_a_hopeless_trial_is_ended_at_its_quarter() -> None:
    whole = train_trial(CACHED, OF, Limits(), "log_loss").seen
    goes_on = train_trial(CACHED, OF, Limits({2: whole[2]}, -1.0), "log_loss")
    assert goes_on.scores and goes_on.seen == whole
    ended = train_trial(CACHED, OF, Limits({2: min(whole[1], whole[2]) - 1e-6}), "log_loss")
    assert ended.scores == [] and set(ended.seen) == {1, 2} and not ended.diverged


def test_why_a_trial_diverged_is_told() -> None:
    wild = with_settings(values(), {"train_head.lr": 1e30})
    outcome = train_trial(CACHED, HeadParamsOfAll.of(wild, PARAMS), Limits(), "log_loss")
    assert outcome.scores == [] and "train_head.lr" in outcome.diverged


def test_a_further_seed_that_diverges_leaves_the_scores_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = train_trial(CACHED, OF, Limits(), "log_loss")
    diverge(monkeypatch, OF.other_seed(SEEDS_OF_BEST[1]))
    outcome = train_trial(CACHED, OF, Limits(), "log_loss")
    assert outcome.scores == whole.scores[:2] and outcome.diverged == WHY
