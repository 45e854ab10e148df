"""Labels given to pictures, each at thresholds that were found without its picture."""

from headstart.evaluation.predictions import Kind, Predictions
from headstart.scores.multi_label import Bools
from headstart.scores.thresholds import Search, cross_fitted, decide


def unseen_decisions(labelled: Predictions, split: str, kind: Kind, search: Search) -> Bools:
    """Labels given to each of N pictures of a multi_label task, (N, K).

    The thresholds of the predictions were chosen on valid. So valid is decided by cross-fitting, and
    test at these thresholds.

    Args:
        labelled: predictions of the labelled pictures of one split, with thresholds.
        split: which one.
        kind: plain or tta.
        search: tta_evaluate.thresholds.
    """
    probabilities = labelled.probabilities(kind)
    if split == "valid":
        return cross_fitted(probabilities, labelled.multi_hot(), search)
    return decide(probabilities, labelled.thresholds[kind])
