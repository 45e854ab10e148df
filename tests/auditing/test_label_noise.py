from collections.abc import Callable

import numpy as np
import pytest

from headstart.auditing.label_noise import doubt_classes, doubt_labels


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_the_share_of_wrong_classes_and_a_temperature_are_found(
    share: float, figures: Callable[[str], None]
) -> None:
    generator = np.random.default_rng(1)
    n, k = 4000, 4
    logits = 3 * generator.normal(size=(n, k))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1).clip(max=k - 1)
    wrong = generator.random(n) < share
    given = np.where(wrong, (truth + generator.integers(1, k, n)) % k, truth)
    doubts = doubt_classes(logits * 0.5, given)  # half as sure as they should be
    assert doubts.wrong.mean() == pytest.approx(wrong.mean(), abs=0.012)
    assert np.abs(doubts.probabilities - p).mean() < 0.02
    # what is called wrong with a probability is wrong about as often
    sure = doubts.wrong > 0.5
    if share:
        assert wrong[sure].mean() == pytest.approx(doubts.wrong[sure].mean(), abs=0.08)
    else:
        assert sure.sum() <= 4
    figures(f"{wrong.mean():.1%} of labels wrong, {doubts.wrong.mean():.1%} estimated")


def test_labels_that_are_extra_and_labels_that_are_missing_are_told_apart() -> None:
    generator = np.random.default_rng(2)
    logits = 4 * generator.normal(size=(3000, 3)) - 2
    truth = generator.random(logits.shape) < 1 / (1 + np.exp(-logits))
    lost = truth & (generator.random(logits.shape) < 0.2)  # people forget labels
    judged = np.ones(logits.shape, bool)
    judged[:, 2] = False
    doubts = doubt_labels(logits, truth & ~lost, judged)
    given = truth & ~lost
    assert doubts.wrong[:, :2][~given[:, :2]].sum() == pytest.approx(lost[:, :2].sum(), rel=0.2)
    assert doubts.wrong[:, :2][given[:, :2]].mean() < 0.02
    assert (doubts.wrong[:, 2] == 0).all()


def test_labels_that_agree_raise_no_doubt() -> None:
    logits = np.array([[9.0, -9.0], [-9.0, 9.0]] * 5)
    given = logits.argmax(axis=1)
    assert doubt_classes(logits, given).wrong.max() < 0.01
    assert doubt_labels(logits, logits > 0, np.ones((10, 2), bool)).wrong.max() < 0.01
