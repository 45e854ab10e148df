"""What is told of pictures by numbers that were chosen without them: probabilities and labels.

Temperatures and thresholds are chosen on valid. So valid itself is calibrated and decided by
cross-fitting, each picture by what the other folds choose; test by the numbers of valid.
"""

from headstart.evaluation.predictions import Floats, Kind, Predictions
from headstart.scores.calibration import cross_calibrated
from headstart.scores.multi_label import Bools
from headstart.scores.thresholds import Search, cross_fitted, decide


def unseen_probabilities(labelled: Predictions, split: str, kind: Kind) -> Floats:
    """Calibrated probabilities (N, K), each at a temperature that was found without its picture.

    Without temperatures they are those of the network.

    Args:
        labelled: predictions of the labelled pictures of one split.
        split: which one.
        kind: plain or tta.
    """
    if split != "valid" or kind not in labelled.temperatures:
        return labelled.probabilities(kind)
    said = labelled.uncalibrated(kind)
    return cross_calibrated(said, labelled.truth(), labelled.task, labelled.folds())


def unseen_decisions(labelled: Predictions, split: str, kind: Kind, search: Search) -> Bools:
    """Labels given to each of N pictures of a multi_label task, (N, K).

    Each is given at thresholds that were found without its picture. The temperature, one number for
    all labels, is that of all of valid: it changes the order of no two probabilities.

    Args:
        labelled: predictions of the labelled pictures of one split, with thresholds.
        split: which one.
        kind: plain or tta.
        search: tta_evaluate.thresholds.
    """
    probabilities = labelled.probabilities(kind)
    if split == "valid":
        return cross_fitted(probabilities, labelled.multi_hot(), search, labelled.folds())
    return decide(probabilities, labelled.thresholds[kind])
