"""Scores of a whole set of pictures, from all its predictions at once: never a mean of batch means.

Axis letters: N images, K classes. Accuracy, recalls and macro-F1 are functions of the confusion
matrix alone; the log loss needs the probabilities.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST = float(np.finfo(np.float64).eps)
"""Smaller probabilities count as this (2.2e-16, as in scikit-learn), so that no loss is infinite."""


def predicted_classes(probabilities: Floats) -> Ints:
    """Most probable class of each picture, (N, K) -> (N,); the first of equals."""
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def confusion_matrix(predicted: Ints, targets: Ints, n_classes: int) -> Ints:
    """Counts (K, K): row = true class, column = predicted class."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (targets, predicted), 1)
    return counts


def accuracy(counts: Ints) -> float:
    """Share of pictures on the diagonal of a confusion matrix (K, K), in [0, 1].

    Raises:
        ValueError: the matrix counts no picture.
    """
    _require_some(int(counts.sum()))
    return float(counts.trace() / counts.sum())


def recalls(counts: Ints) -> dict[int, float]:
    """Share of each true class that was found, in [0, 1]; a class without pictures has no entry."""
    found, actual = counts.diagonal(), counts.sum(axis=1)
    return {k: float(found[k] / actual[k]) for k in range(len(counts)) if actual[k]}


def macro_f1(counts: Ints) -> float:
    """Mean of the classes' F1 scores, in [0, 1], of a confusion matrix (K, K).

    F1 of a class is 2·hits / (true + predicted). The mean is over the classes that occur among
    targets or predictions, as in scikit-learn's f1_score(average="macro") without `labels`.

    Raises:
        ValueError: the matrix counts no picture.
    """
    _require_some(int(counts.sum()))
    hits, actual, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return float(mean_f1(hits, actual + predicted))


def mean_f1(hits: NDArray[np.integer], occurrences: NDArray[np.integer]) -> Floats:
    """Macro-F1 of hits and (true + predicted) counts a class, both (..., K) -> (...)."""
    occurs = occurrences > 0
    f1 = 2 * hits / np.where(occurs, occurrences, 1)
    return np.asarray(f1.sum(axis=-1) / occurs.sum(axis=-1), np.float64)


def balanced_accuracy(counts: Ints) -> float:
    """Mean of the recalls of the classes that occur, in [0, 1], of a confusion matrix (K, K).

    Every class counts alike, however few pictures it has. As scikit-learn's balanced_accuracy_score.

    Raises:
        ValueError: the matrix counts no picture.
    """
    _require_some(int(counts.sum()))
    return float(mean_recall(counts.diagonal(), counts.sum(axis=1)))


def mean_recall(hits: NDArray[np.integer], actual: NDArray[np.integer]) -> Floats:
    """Mean of hits / actual over the classes that occur, both (..., K) -> (...)."""
    occurs = actual > 0
    of_each = hits / np.where(occurs, actual, 1)
    return np.asarray(of_each.sum(axis=-1) / occurs.sum(axis=-1), np.float64)


def top_hits(probabilities: Floats, targets: Ints, n: int) -> NDArray[np.bool_]:
    """Whether each picture's class is among its n most probable ones, (N, K), (N,) -> (N,).

    Of equal probabilities the class of the lower number comes first, as in predicted_classes.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :n]
    return np.asarray((order == targets[:, None]).any(axis=1))


def log_losses(probabilities: Floats, targets: Ints) -> Floats:
    """−log of the probability given to the true class of each picture, (N, K), (N,) -> (N,).

    Probabilities are clipped to [SMALLEST, 1 − SMALLEST], as in scikit-learn.
    """
    of_target = probabilities[np.arange(len(targets)), targets]
    return np.asarray(-np.log(of_target.clip(SMALLEST, 1 - SMALLEST)), np.float64)


def log_loss(probabilities: Floats, targets: Ints) -> float:
    """Mean over pictures of log_losses, ≥ 0, in nats.

    Raises:
        ValueError: there is no picture.
    """
    _require_some(len(targets))
    return float(log_losses(probabilities, targets).mean())


def _require_some(n_pictures: int) -> None:
    if not n_pictures:
        raise ValueError("A score needs at least one labelled picture, found none.")
