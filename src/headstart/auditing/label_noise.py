"""How probable it is that a label is wrong, by out-of-fold logits and the labels that were given.

A given label comes from the true one, and is sometimes another one. For one label a picture, the
chance of that is the same for each class, and so is each class that it can become. For many labels,
there is one chance that a label is given where it does not belong, and one that it is missing where
it does. These chances and a temperature of the logits are those under which the given labels are most
probable; expectation maximisation finds them. Bayes' rule then gives the chance for each label.

Source of the model: Bootkrajang and Kabán, Label-Noise Robust Logistic Regression and Its
Applications, ECML PKDD 2012. There the weights are fitted under it; here only the chances are, since
the logits are out of fold. Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021) was measured
beside it (docs/benchmarks.md): where classes are hard to tell apart, it takes hard pictures for wrong
labels.

Axis letters: N images, K classes, M labels.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TEMPERATURES = np.geomspace(0.25, 2.0, 25)
"""Below 1, because a classifier that was fitted to wrong labels too is less sure than it should be."""
START, LEAST = 0.05, 1e-6  # chance of a wrong label, at the start and at least
N_TRIED, N_FINAL = 25, 250
"""Rounds of expectation maximisation: for each temperature, and for the best one."""


class Doubts(NamedTuple):
    """What is thought of the given labels.

    Attributes:
        probabilities: (N, K) of each true class or label, at the temperature found.
        wrong: probability that the given label is wrong: (N,) of classes, (N, K) of labels.
    """

    probabilities: Floats
    wrong: Floats


def doubt_classes(logits: Floats, given: NDArray[np.int64]) -> Doubts:
    """Doubts about one label a picture, for logits (N, K) and given class numbers (N,); K >= 2."""
    n_others = logits.shape[1] - 1
    exact, rows = torch.from_numpy(logits), np.arange(len(given))

    def probabilities(temperature: float) -> Floats:
        return torch.softmax(exact / temperature, dim=1).numpy()

    def rounds(right: Floats, chance: float, n: int) -> tuple[float, Floats, float]:
        """The chance of a wrong label after `n` rounds, each label's own, and the log likelihood."""
        for _ in range(n):
            mistaken = chance / n_others * (1 - right)
            evidence = (1 - chance) * right + mistaken
            wrong = mistaken / evidence
            chance = max(float(wrong.mean()), LEAST)
        return chance, wrong, float(np.log(evidence).sum())

    chance, found = START, []
    for temperature in TEMPERATURES:
        right = probabilities(temperature)[rows, given]
        chance, _, likelihood = rounds(right, chance, N_TRIED)
        found.append((likelihood, temperature, chance))
    _, temperature, chance = max(found)
    final = probabilities(temperature)
    return Doubts(final, rounds(final[rows, given], chance, N_FINAL)[1])


def doubt_labels(logits: Floats, given: NDArray[np.bool_], judged: NDArray[np.bool_]) -> Doubts:
    """Doubts about many labels a picture, for logits and given labels (N, K).

    Args:
        logits: of each label by itself.
        given: which labels the pictures have.
        judged: (N, K) the others have no doubts: their probability of being wrong is 0.
    """
    exact, has = torch.from_numpy(logits[judged]), given[judged]  # (M,) each
    Chances = tuple[float, float]  # that a label is extra, that it is missing

    def rounds(present: Floats, chances: Chances, n: int) -> tuple[Chances, Floats, float]:
        right = np.where(has, present, 1 - present)
        for _ in range(n):
            extra, missing = chances
            kept = np.where(has, 1 - missing, 1 - extra)
            mistaken = np.where(has, extra, missing) * (1 - right)
            evidence = kept * right + mistaken
            wrong = mistaken / evidence
            n_extra, n_missing = float(wrong[has].sum()), float(wrong[~has].sum())
            n_absent = n_extra + float((~has).sum()) - n_missing
            n_present = n_missing + float(has.sum()) - n_extra
            chances = (
                min(max(n_extra / max(n_absent, 1.0), LEAST), 0.5),
                min(max(n_missing / max(n_present, 1.0), LEAST), 0.5),
            )
        return chances, wrong, float(np.log(evidence).sum())

    chances, found = (START, START), []
    for temperature in TEMPERATURES:
        present = torch.sigmoid(exact / temperature).numpy()
        chances, _, likelihood = rounds(present, chances, N_TRIED)
        found.append((likelihood, temperature, chances))
    _, temperature, chances = max(found)
    final = torch.sigmoid(torch.from_numpy(logits) / temperature).numpy()
    wrong = np.zeros(logits.shape)
    wrong[judged] = rounds(final[judged], chances, N_FINAL)[1]
    return Doubts(final, wrong)
