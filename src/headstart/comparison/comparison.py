"""Two runs side by side: params, scores, and the pictures on which they disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.comparison.params import ChangedParam, changed_inputs, changed_params
from headstart.comparison.runs import Run
from headstart.comparison.scores import KINDS
from headstart.comparison.splits import SplitComparison, compare_split
from headstart.labels.task import SCORE

N_NAMES = 5  # classes that a note names


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs.

    Attributes:
        a: the first run.
        b: the second one.
        params: those that differ.
        inputs: paths of code and sources that differ.
        notes: sentences on what holds for both splits.
        splits: valid and test, as far as a run has labelled pictures of them.
    """

    a: Run
    b: Run
    params: list[ChangedParam]
    inputs: list[str]
    notes: list[str]
    splits: list[SplitComparison]

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values, for a program."""
        return {
            **{
                x: {"name": run.name, "commit": run.commit}
                for x, run in (("a", self.a), ("b", self.b))
            },
            "params": {change.key: change.values() for change in self.params},
            "inputs": self.inputs,
            "notes": self.notes,
            "splits": {of.split: _split_json(of) for of in self.splits},
        }


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs."""
    of_a, of_b = (set(run.predictions.classes) for run in (a, b))
    one_task = a.predictions.task == b.predictions.task
    shared = of_a & of_b if one_task else set()
    splits = [compare_split(a, b, split, shared, of_a == of_b) for split in ("valid", "test")]
    params, inputs = changed_params(a.params, b.params), changed_inputs(a.inputs, b.inputs)
    notes = [*a.notes, *b.notes, *_notes(a, b)]
    return Comparison(a, b, params, inputs, notes, [of for of in splits if of is not None])


def _notes(a: Run, b: Run) -> list[str]:
    task_a, task_b = a.predictions.task, b.predictions.task
    if task_a != task_b:
        return [f"a is {task_a} and b is {task_b}, so nothing can be paired."]
    if _same_predictions(a, b):
        return ["Both have the same predictions."]
    of_a, of_b = a.predictions.classes, b.predictions.classes
    only_a, only_b = sorted(set(of_a) - set(of_b)), sorted(set(of_b) - set(of_a))
    if not only_a and not only_b:
        return []
    only = [f"only in {x}: {_few(names)}" for x, names in (("a", only_a), ("b", only_b)) if names]
    return [
        f"The classes differ ({'; '.join(only)}), so only {SCORE[task_a]} is compared, over the "
        "classes that both have."
    ]


def _same_predictions(a: Run, b: Run) -> bool:
    x, y = a.predictions, b.predictions
    return (
        x.classes == y.classes
        and x.thresholds == y.thresholds
        and x.table.equals(y.table)
        and all(np.array_equal(x.probabilities(kind), y.probabilities(kind)) for kind in KINDS)
    )


def _few(names: Sequence[str]) -> str:
    rest = len(names) - N_NAMES
    return ", ".join(names[:N_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")


def _split_json(of: SplitComparison) -> dict[str, Any]:
    return {
        "n_a": of.n_a,
        "n_b": of.n_b,
        "n_compared": of.n,
        "notes": of.notes,
        "scores": [
            {
                **{"score": score.key, "kind": score.kind, "a": score.a, "b": score.b},
                **{"difference": score.difference.value, "ci_low": score.difference.low},
                **{"ci_high": score.difference.high, "verdict": score.verdict},
            }
            for score in of.scores
        ],
        "own_scores": [score._asdict() for score in of.own_scores],
        "pictures": {
            kind: {
                "only_a_right": list(of.one_right(kind, "a").index),
                "only_b_right": list(of.one_right(kind, "b").index),
                "n_both_right": of.n_both(kind, right=True),
                "n_both_wrong": of.n_both(kind, right=False),
            }
            for kind in of.pictures
        },
    }
