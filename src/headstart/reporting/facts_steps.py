"""What each step of the recipe gave, against the step before, and whether that is noise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headstart.evaluation.predictions import Predictions
from headstart.labels.scoring_note import choice_of_final, valid_chose
from headstart.labels.task import SCORE, Task
from headstart.reporting.facts_change import LOG_LOSS, SCORES, Changes, Form, changes, number
from headstart.reporting.score_tables import Number, splits_of
from headstart.scores.thresholds import DEFAULT_THRESHOLD

Values = Mapping[str, Any]

TITLES = {
    "head": "head on plain pictures",
    "augmented": "head on augmented pictures",
    "finetuned": "network fine-tuned",
    "snapshots": "mean of the snapshots",
}


@dataclass(frozen=True)
class Step:
    """One checkpoint of the recipe, scored on one split.

    Attributes:
        title: what was trained.
        before: title of the step that it is compared with; "" for none.
        plain: score of the plain view.
        tta: score of TTA.
        log_loss: of TTA.
        plain_changes: plain less plain of `before`; None for none.
        tta_changes: TTA less TTA of `before`; None for none.
        tta_gain: TTA less plain of this step; None where its predictions are not kept.
    """

    title: str
    before: str
    plain: Number
    tta: Number
    log_loss: Number
    plain_changes: Changes | None = None
    tta_changes: Changes | None = None
    tta_gain: Changes | None = None


@dataclass(frozen=True)
class SplitSteps:
    """The steps on one split.

    Attributes:
        split: valid or test.
        n_pictures: that are scored.
        steps: in the order of the recipe.
        note: what the split decided in the training.
        choice: what choices by valid are worth, among the weights of fine-tuning and among the
            steps; "" of test, and without a choice.
    """

    split: str
    n_pictures: int
    steps: tuple[Step, ...]
    note: str
    choice: str = ""


@dataclass(frozen=True)
class StepsFacts:
    """What each step gave on each split that has scores.

    Attributes:
        score: accuracy or F2.
        unit: of its differences, "percentage points" or "".
        confidence: of all intervals, such as "95%".
        splits: valid, then test.
    """

    score: str
    unit: str
    confidence: str
    splits: tuple[SplitSteps, ...]
    valid_chose: bool = False
    """Whether valid decided which weights are the final ones, so that its scores are too good."""
    unchosen: str = ""
    """Score of the plain view of valid by weights that the scored picture did not choose; "" where
    the final checkpoint is not one that valid chose."""


def steps_facts(
    scores: Values,
    predictions: Mapping[str, Predictions],
    params: Values,
    fine_tuning: Values,
) -> StepsFacts:
    """Compare each checkpoint with the one before, on the same pictures.

    Args:
        scores: metrics of tta_evaluate.
        predictions: by checkpoint, in the recipe's order, at least the final one. A checkpoint
            without predictions has scores and no differences.
        params: all sections of params.yaml.
        fine_tuning: metrics of unfreeze_finetune.
    """
    task = next(iter(predictions.values())).task
    section, weights = params["tta_evaluate"], fine_tuning.get("choice", {})
    chosen = " ".join(
        filter(None, [_epoch(weights, task), _choice(scores.get("choice", {}), task)])
    )
    return StepsFacts(
        score=SCORE[task],
        unit="percentage points" if task == "single_label" else "",
        confidence=f"{section['confidence'] * 100:g}%",
        splits=tuple(
            SplitSteps(
                split,
                scores[split]["plain"]["n_pictures"],
                tuple(_steps(scores["checkpoints"], predictions, split, section)),
                _note(split, "test" in scores, task, params),
                chosen if split == "valid" else "",
            )
            for split in splits_of(scores)
        ),
        valid_chose=valid_chose(params),
        unchosen=_value(choice_of_final(scores, fine_tuning), SCORES[task]),
    )


def named_predictions(scores: Values, tables: Sequence[Predictions]) -> dict[str, Predictions]:
    """Tables of predictions by the names of their checkpoints.

    Args:
        scores: metrics of tta_evaluate, which name the checkpoints in the recipe's order.
        tables: in the same order, the final checkpoint's last. Of a network that snapshots follow,
            no table is kept.
    """
    *first, final = scores["checkpoints"]
    return dict(zip(first, tables[:-1], strict=False)) | {final: tables[-1]}


def _steps(
    checkpoints: Values, predictions: Mapping[str, Predictions], split: str, section: Values
) -> Iterator[Step]:
    before = ""
    for name, of_splits in checkpoints.items():
        step = _step(name, of_splits[split], next(iter(predictions.values())).task)
        if name not in predictions:
            yield step
            continue
        after = predictions[name]
        gain = changes(after, after, split, ("plain", "tta"), section)
        if before:
            there = predictions[before]
            step = replace(
                step,
                before=TITLES.get(before, before),
                plain_changes=changes(there, after, split, ("plain", "plain"), section),
                tta_changes=changes(there, after, split, ("tta", "tta"), section),
            )
        yield replace(step, tta_gain=gain)
        before = name


def _step(name: str, scores: Values, task: Task) -> Step:
    """A step that is compared with nothing yet."""
    plain, tta, form = scores["plain"], scores["tta"], SCORES[task]
    shown = number(plain, form), number(tta, form), number(tta, LOG_LOSS)
    return Step(TITLES.get(name, name), "", *shown)


def _note(split: str, has_test: bool, task: Task, params: Values) -> str:
    """What valid decided, and what test did not."""
    finetune, chosen = params["unfreeze_finetune"], []
    if finetune["keep"] == "best":
        chosen.append("which weights of fine-tuning are kept")
    if finetune["stop_when_worse"]:
        chosen.append("when fine-tuning stops")
    if task == "multi_label":
        chosen.append("the thresholds")
    if split == "test":
        return "Test decided nothing in the training."
    if not chosen:
        return "Valid decided nothing in the training."
    reason = f"Valid decided {_listed(chosen)}, so its scores are somewhat too good."
    if task == "multi_label":
        reason += " F2 is nevertheless at thresholds that were found without the scored picture."
    return reason + (
        " Judge by test." if has_test else " There is no labelled test split to check it."
    )


def _choice(choice: Values, task: Task) -> str:
    """What the score of the step that valid likes best is without its optimism."""
    if not choice:
        return ""
    form = SCORES[task]
    crossed = {kind: number(values, form) for kind, values in choice.items()}
    claimed = {kind: _value(values, form, "_claimed") for kind, values in choice.items()}
    plain, tta = (
        f"{crossed[kind].value} ({crossed[kind].interval}) in place of {claimed[kind]}"
        for kind in ("plain", "tta")
    )
    return (
        f"If valid chooses among these steps, and each fifth of it is scored by the step that the "
        f"other fifths choose, {SCORE[task]} is {plain}; of TTA, {tta}."
    )


def _epoch(choice: Values, task: Task) -> str:
    """What the score of the weights of fine-tuning that valid chose is without its optimism."""
    if not choice:
        return ""
    form, name = SCORES[task], SCORE[task]
    if task == "multi_label":
        name += f" at a threshold of {DEFAULT_THRESHOLD:g}"
    return (
        f"Valid chose the fine-tuned network among {choice['n_points']} (the start and ends of "
        f"cycles). If each fifth of it is scored by the network that the other fifths choose, {name} "
        f"of the plain view is {_value(choice, form)} in place of {_value(choice, form, '_claimed')}."
    )


def _value(values: Values, form: Form, of: str = "") -> str:
    """A score of a metrics file as text; "" where there is none."""
    key = f"{form.key}{of}"
    return f"{form.factor * values[key]:.{form.n_decimals}f}{form.unit}" if key in values else ""


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))
