"""Each step against the one before: the numbers, the words, and what valid decided."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headstart.evaluation.choice import choice_scores
from headstart.evaluation.predictions import Kind, Predictions
from headstart.evaluation.scoring import Scoring, class_scores, label_scores
from headstart.labels.task import Task
from headstart.reporting.facts_change import changes
from headstart.reporting.facts_steps import StepsFacts, named_predictions, steps_facts
from headstart.scores.thresholds import decide

N = 40
SECTION = {"confidence": 0.95, "n_bootstrap": 200, "seed": 0, "thresholds": "global"}
KINDS: tuple[Kind, Kind] = ("plain", "tta")


def params(keep: str = "best", stop: bool = True) -> dict[str, Any]:
    return {
        "tta_evaluate": SECTION,
        "unfreeze_finetune": {"keep": keep, "stop_when_worse": stop},
    }


def said(n_right: int, task: Task = "single_label") -> Predictions:
    """N pictures of valid and N of test; the first n_right of each are right, TTA always is."""
    of_split = [[i % 2] for i in range(N)]
    rows = pd.DataFrame(
        {
            "id": [f"{i:02}" for i in range(N)] * 2,
            "split": ["valid"] * N + ["test"] * N,
            "targets": of_split * 2,
        }
    )
    truth = np.eye(2)[[i % 2 for i in range(N)] * 2]  # (2·N, K)
    right = np.arange(2 * N)[:, None] % N < n_right
    plain = np.where(right, 0.9 * truth + 0.05, 0.9 * (1 - truth) + 0.05)
    tta = 0.8 * truth + 0.1
    thresholds: dict[Kind, tuple[float, ...]] = {}
    if task == "multi_label":
        thresholds = {"plain": (0.5, 0.5), "tta": (0.5, 0.5)}
    return Predictions(("a", "b"), rows, np.stack([plain, tta]), tta, task, thresholds)


def scored(tables: dict[str, Predictions], splits: tuple[str, ...]) -> dict[str, Any]:
    """As metrics/tta_evaluate.json."""
    scoring, found = Scoring(0.95, 200, 0), {}
    for name, table in tables.items():
        found[name] = {
            split: {kind: score(table.labelled(split), kind, scoring) for kind in KINDS}
            for split in splits
        }
    return {**found[list(tables)[-1]], "checkpoints": found}


def score(one: Predictions, kind: Kind, scoring: Scoring) -> dict[str, Any]:
    probabilities = one.probabilities(kind)
    if one.task == "single_label":
        return class_scores(probabilities, one.class_numbers(), one.classes, scoring)
    decided = decide(probabilities, (0.5, 0.5))
    return label_scores(probabilities, one.multi_hot(), decided, decided, one.classes, scoring)


def told(
    *n_right: int, task: Task = "single_label", splits: tuple[str, ...] = ("valid", "test")
) -> StepsFacts:
    names = ("head", "augmented", "finetuned")
    tables = {name: said(n, task) for name, n in zip(names, n_right, strict=True)}
    return steps_facts(scored(tables, splits), tables, params(), {})


def test_each_step_is_compared_with_the_one_before() -> None:
    facts = told(20, 22, 38)
    assert (facts.score, facts.unit, facts.confidence) == ("accuracy", "percentage points", "95%")
    valid, test = facts.splits
    assert (valid.split, test.split, valid.n_pictures) == ("valid", "test", N)
    head, augmented, finetuned = valid.steps
    assert (head.before, head.plain_changes, head.tta_changes) == ("", None, None)
    assert (augmented.before, finetuned.before) == (head.title, augmented.title)
    assert [step.plain.value for step in valid.steps] == ["50.00%", "55.00%", "95.00%"]
    small, large = augmented.plain_changes, finetuned.plain_changes
    assert small is not None and large is not None
    assert (small.score.value, small.score.pictures) == ("+5.00", "2 better, 0 worse")
    assert (large.score.value, large.score.pictures) == ("+40.00", "16 better, 0 worse")
    assert (small.score.noise, large.score.noise) == (True, False)
    assert large.log_loss.value.startswith("−")
    assert not large.log_loss.noise


def test_a_step_that_is_worse_has_a_minus_and_the_words() -> None:
    worse = told(30, 10, 30).splits[0].steps[1].plain_changes
    assert worse is not None
    assert (worse.score.value, worse.score.pictures) == ("−50.00", "0 better, 20 worse")
    low, high = worse.score.interval.split(" to ")
    assert low.startswith("−") and high.startswith("−")


def test_tta_is_compared_with_the_plain_view_of_the_same_step() -> None:
    step = told(20, 20, 30).splits[1].steps[-1]
    assert step.tta_gain is not None
    assert (step.tta_gain.score.value, step.tta_gain.score.noise) == ("+25.00", False)
    assert step.tta_changes is not None
    assert (step.tta_changes.score.value, step.tta_changes.score.noise) == ("0.00", True)


def test_many_labels_are_compared_by_f2() -> None:
    facts = told(20, 20, 40, task="multi_label")
    assert (facts.score, facts.unit) == ("F2", "")
    change = facts.splits[1].steps[-1].plain_changes
    assert change is not None
    assert (change.score.value, change.score.noise) == ("+0.5000", False)


def test_a_network_whose_predictions_are_not_kept_has_scores_alone() -> None:
    tables = {"head": said(10), "augmented": said(20), "finetuned": said(30), "snapshots": said(40)}
    scores = scored(tables, ("valid",))
    named = named_predictions(scores, [tables["head"], tables["augmented"], tables["snapshots"]])
    assert list(named) == ["head", "augmented", "snapshots"]
    _, augmented, finetuned, snapshots = steps_facts(scores, named, params(), {}).splits[0].steps
    assert finetuned.plain.value == "75.00%"
    assert (finetuned.before, finetuned.plain_changes, finetuned.tta_gain) == ("", None, None)
    assert snapshots.before == augmented.title
    assert snapshots.plain_changes is not None
    assert snapshots.plain_changes.score.value == "+50.00"


@pytest.mark.parametrize(
    ("keep", "stop", "expected"),
    [
        ("best", True, "decided which weights of fine-tuning are kept and when fine-tuning stops"),
        ("best", False, "decided which weights of fine-tuning are kept, so"),
        ("last", False, "Valid decided nothing in the training."),
    ],
)
def test_the_page_says_what_valid_decided(keep: str, stop: bool, expected: str) -> None:
    tables = {"head": said(10), "finetuned": said(20)}
    valid, test = steps_facts(
        scored(tables, ("valid", "test")), tables, params(keep, stop), {}
    ).splits
    assert expected in valid.note
    assert ("too good" in valid.note) == (keep == "best")
    assert test.note == "Test decided nothing in the training."


def test_a_choice_among_the_steps_stands_beside_without_its_optimism() -> None:
    tables = {"head": said(10), "finetuned": said(20)}
    scores = scored(tables, ("valid", "test"))
    without = steps_facts(scores, tables, params(), {}).splits
    assert [split.choice for split in without] == ["", ""]
    scores["choice"] = choice_scores(tables, "global", Scoring(0.95, 200, 0))
    valid, test = steps_facts(scores, tables, params(), {}).splits
    assert "is 50.00% (35.20 to 64.80) in place of 50.00%; of TTA, 100.00%" in valid.choice
    assert test.choice == ""
    for keep, stop, chose in (("best", False, True), ("last", True, True), ("last", False, False)):
        said_params = params(keep, stop)
        assert steps_facts(scores, tables, said_params, {}).valid_chose == chose
        of_mean = said_params | {"predict_views": {"snapshots": True}}
        assert steps_facts(scores, tables, of_mean, {}).valid_chose == stop, "a mean keeps all"


@pytest.mark.parametrize(("final", "unchosen"), [("finetuned", "94.25%"), ("snapshots", "")])
def test_what_the_choice_of_the_weights_is_worth_stands_beside(final: str, unchosen: str) -> None:
    tables = {"head": said(10), final: said(20)}
    choice = {"n_points": 3, "accuracy": 0.9425, "accuracy_claimed": 0.9475}
    fine_tuning = {"choice": choice | {"accuracy_optimism": 0.005}}
    facts = steps_facts(scored(tables, ("valid", "test")), tables, params(), fine_tuning)
    valid, test = facts.splits
    assert "chose the fine-tuned network among 3" in valid.choice
    assert valid.choice.endswith("accuracy of the plain view is 94.25% in place of 94.75%.")
    assert (facts.unchosen, test.choice) == (unchosen, "")
    many = {"head": said(10, "multi_label"), "finetuned": said(20, "multi_label")}
    of_f2 = {"choice": {"n_points": 3, "f2": 0.9, "f2_claimed": 0.91, "f2_optimism": 0.01}}
    facts = steps_facts(scored(many, ("valid",)), many, params(), of_f2)
    sentence = "F2 at a threshold of 0.2 of the plain view is 0.9000 in place of 0.9100."
    assert facts.splits[0].choice.endswith(sentence)


def test_without_test_nothing_checks_valid_and_thresholds_count_too() -> None:
    [valid] = told(10, 20, 30, task="multi_label", splits=("valid",)).splits
    assert "are kept, when fine-tuning stops and the thresholds" in valid.note
    assert valid.note.endswith("There is no labelled test split to check it.")


def test_tables_without_shared_pictures_have_no_changes() -> None:
    one = said(10)
    other = one.where(one.table["split"].to_numpy() == "test")
    assert changes(one, other, "valid", ("plain", "plain"), SECTION) is None
