"""What wrong decisions cost, and the decisions that are expected to cost least.

Axis letters: N images, K classes. A matrix of costs is (K, K): row the true class, column the class
that a picture is given; its diagonal is 0.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from headstart.project.errors import HeadstartError
from headstart.scores.metrics import Floats, Ints

UNNAMED = 1.0
"""Cost of a wrong decision that is not named."""
ROUNDING = 1e-9
"""Expected costs that differ by less, relative to the largest cost, are equal."""


class CostsError(HeadstartError):
    """tta_evaluate.costs does not fit the classes."""


def cost_matrix(costs: Mapping[str, Mapping[str, float]], classes: Sequence[str]) -> Floats:
    """The costs (K, K) of every decision.

    Args:
        costs: true class -> the class that is given -> cost, at least 0.
        classes: K names.

    Raises:
        CostsError: a name is no class.
    """
    number = {name: k for k, name in enumerate(classes)}
    matrix = np.full((len(classes), len(classes)), UNNAMED)
    np.fill_diagonal(matrix, 0.0)
    for true, of_true in costs.items():
        for given, cost in of_true.items():
            for name in (true, given):
                if name not in number:
                    raise CostsError(
                        f"tta_evaluate.costs.{true}.{given}: {name!r} is no class of the pictures, "
                        f"whose classes are {', '.join(classes)}."
                    )
            matrix[number[true], number[given]] = cost
    return matrix


def cheapest_classes(probabilities: Floats, matrix: Floats) -> Ints:
    """The class (N,) of lowest expected cost for each picture; of equal ones the likeliest.

    Args:
        probabilities: (N, K), calibrated.
        matrix: (K, K) costs; where all wrong decisions cost the same, the likeliest class is chosen.

    Source: C. Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001, section 1.
    """
    expected = probabilities @ matrix  # (N, K) of each class that could be given
    cheap = expected <= expected.min(axis=1, keepdims=True) + ROUNDING * matrix.max()
    return np.asarray(np.where(cheap, probabilities, -1.0).argmax(axis=1), np.int64)
