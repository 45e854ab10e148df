"""What a run says of each labelled picture of one split, and how good that is.

Axis letters: N images, K classes.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headstart.comparison.runs import Run
from headstart.evaluation.decisions import unseen_decisions, unseen_probabilities
from headstart.evaluation.predictions import Kind
from headstart.scores.metrics import Floats, Ints, log_losses, predicted_classes
from headstart.scores.multi_label import Bools, binary_cross_entropies, f_beta

Names = NDArray[np.object_]


def judged(run: Run, split: str, kind: Kind, classes: Collection[str]) -> pd.DataFrame:
    """A row for each labelled picture of `split`, as far as it is about `classes`.

    single_label: pictures of other classes are left out. multi_label: other labels do not count; the
    decisions are those that tta-evaluate scores: see unseen_decisions.

    Args:
        run: whose predictions.
        split: valid or test.
        kind: plain or tta.
        classes: those that count, some or all of the run's.

    Returns:
        N rows, indexed by the sorted ids. Columns:
        labels, said: the true and the predicted labels, sorted tuples of str.
        right: whether they are equal.
        p_said: probability of the predicted class; NaN for multi_label.
        grade: how right it is, in [0, 1]: probability of the true class; F2 for multi_label.
        accuracy (single_label; bool) or f2 (multi_label; in [0, 1]), and log_loss (≥ 0, nats).
        p, truth (multi_label): (K,) arrays over the sorted `classes`.
    """
    labelled = run.predictions.labelled(split)
    unseen = unseen_probabilities(labelled, split, kind)
    names = np.array(labelled.classes, object)
    if labelled.task == "single_label":
        columns = _of_classes(unseen, labelled.class_numbers(), names)
    else:
        truth = labelled.multi_hot()
        search = run.params["tta_evaluate"]["thresholds"]
        decided = unseen_decisions(labelled, split, kind, search)
        these = [labelled.classes.index(name) for name in sorted(classes)]
        said = labelled.probabilities(kind)
        columns = _of_labels(said[:, these], truth[:, these], decided[:, these], names[these])
        columns["log_loss"] = binary_cross_entropies(unseen[:, these], truth[:, these])
    table = pd.DataFrame(columns, index=pd.Index(labelled.table["id"], dtype=object))
    if labelled.task == "single_label":
        return table[np.array([name in classes for (name,) in table["labels"]], bool)]
    return table


def _of_classes(probabilities: Floats, targets: Ints, names: Names) -> dict[str, object]:
    every, predicted = np.arange(len(targets)), predicted_classes(probabilities)
    return {
        "labels": [(name,) for name in names[targets]],
        "said": [(name,) for name in names[predicted]],
        "right": predicted == targets,
        "p_said": probabilities[every, predicted],
        "grade": probabilities[every, targets],
        "accuracy": predicted == targets,
        "log_loss": log_losses(probabilities, targets),
    }


def _of_labels(
    probabilities: Floats, truth: Bools, decided: Bools, names: Names
) -> dict[str, object]:
    f2 = f_beta(decided, truth)
    return {
        "labels": [tuple(names[row]) for row in truth],
        "said": [tuple(names[row]) for row in decided],
        "right": (decided == truth).all(axis=1),
        "p_said": np.full(len(truth), np.nan),
        "grade": f2,
        "f2": f2,
        "p": list(probabilities),
        "truth": list(truth),
    }
