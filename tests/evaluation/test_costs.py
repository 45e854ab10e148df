"""What decisions cost, and which cost least."""

import numpy as np
import pytest

from headstart.evaluation.costs import CostsError, cheapest_classes, cost_matrix
from headstart.evaluation.scoring import Scoring, cost_scores

CLASSES = ("cat", "dog", "owl")


def test_a_pair_that_is_not_named_costs_one_and_the_right_class_nothing() -> None:
    matrix = cost_matrix({"cat": {"dog": 5, "owl": 0}, "owl": {"cat": 0.5}}, CLASSES)
    assert matrix.tolist() == [[0, 5, 0], [1, 0, 1], [0.5, 1, 0]]


@pytest.mark.parametrize("costs", [{"cow": {"dog": 2.0}}, {"dog": {"cow": 2.0}}])
def test_a_name_that_is_no_class_is_refused_with_the_classes(
    costs: dict[str, dict[str, float]],
) -> None:
    with pytest.raises(CostsError) as caught:
        cost_matrix(costs, CLASSES)
    [true] = costs
    [given] = costs[true]
    assert str(caught.value) == (
        f"tta_evaluate.costs.{true}.{given}: 'cow' is no class of the pictures, whose classes are "
        "cat, dog, owl."
    )


def test_the_cheapest_class_is_that_of_a_search_by_hand() -> None:
    rng = np.random.default_rng(0)
    probabilities, matrix = rng.dirichlet(np.ones(4), 200), rng.uniform(0, 9, (4, 4))
    found = cheapest_classes(probabilities, matrix)
    for row, k in zip(probabilities, found, strict=True):
        costs = [sum(float(p) * c for p, c in zip(row, column, strict=True)) for column in matrix.T]
        assert k == costs.index(min(costs))
    assert (found != probabilities.argmax(axis=1)).sum() > 50


def test_where_all_errors_cost_the_same_the_likeliest_class_is_the_cheapest() -> None:
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), 500)
    probabilities[:3] = np.array(
        [[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.4, 0.4]]
    )  # of equal ones the first
    for cost in (1e-6, 1, 1e6):
        matrix = cost * (1 - np.eye(3))
        assert (cheapest_classes(probabilities, matrix) == probabilities.argmax(axis=1)).all()
    free = cheapest_classes(probabilities, np.zeros((3, 3)))
    assert (free == probabilities.argmax(axis=1)).all()


def test_costs_are_means_over_pictures_with_paired_intervals() -> None:
    matrix = cost_matrix({"owl": {"cat": 10.0}}, CLASSES)
    targets = np.array([0] * 60 + [2] * 20)
    said = np.tile([0.8, 0.0, 0.2], (80, 1))  # cat costs 2, owl 0.8
    scores = cost_scores(said, targets, matrix, Scoring(0.95, 500, 0))
    assert scores["cost"] == 20 * 10 / 80 and scores["cost_decided"] == 60 / 80
    assert scores["cost_saved"] == scores["cost"] - scores["cost_decided"]
    for name in ("cost", "cost_decided", "cost_saved"):
        low, high = scores[f"{name}_ci_low"], scores[f"{name}_ci_high"]
        assert low < scores[name] < high
    assert len(scores) == 9
    half = (scores["cost_ci_high"] - scores["cost_ci_low"]) / 2
    assert half == pytest.approx(1.96 * 10 * (0.25 * 0.75 / 80) ** 0.5, rel=0.15)
