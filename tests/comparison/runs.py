"""Generated runs to compare."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from headstart.comparison.runs import Run
from headstart.evaluation.predictions import Predictions
from headstart.labels.labels import SPLITS, Labels
from headstart.labels.task import Task

CLASSES = ("cat", "eel", "owl")
PARAMS: dict[str, Any] = {"tta_evaluate": {"thresholds": "global"}}


class Said(NamedTuple):
    """What a run says of one picture of valid or test."""

    id: str
    labels: Sequence[str] | None
    plain: Sequence[float]
    split: str = "test"
    tta: Sequence[float] | None = None


def run_of(
    rows: Sequence[Said],
    classes: tuple[str, ...] = CLASSES,
    task: Task = "single_label",
    trained: Sequence[str] = (),
    **of_run: Any,
) -> Run:
    """A run of `rows`; `trained` are the ids of train, `of_run` other attributes."""
    rows = sorted(rows, key=lambda row: (SPLITS.index(row.split), row.id))
    table = pd.DataFrame({"id": [row.id for row in rows], "split": [row.split for row in rows]})
    known = [None if row.labels is None else list(row.labels) for row in rows]
    numbers = [None if of is None else [classes.index(name) for name in of] for of in known]
    table["targets"] = pd.Series(numbers, dtype=object)
    plain = np.array([row.plain for row in rows], float).reshape(len(rows), len(classes))
    tta = np.array([row.tta or row.plain for row in rows], float).reshape(plain.shape)
    half = (0.5,) * len(classes)
    thresholds = {} if task == "single_label" else {"plain": half, "tta": half}
    predictions = Predictions(classes, table, plain[None], tta, task, thresholds)  # type: ignore[arg-type]
    labels = pd.concat(
        [
            table[["id", "split"]].assign(labels=pd.Series(known, dtype=object)),
            pd.DataFrame(
                {"id": trained, "split": "train", "labels": [[classes[0]]] * len(trained)}
            ),
        ]
    ).sort_values("id")
    of_labels = Labels(labels.assign(group=labels["id"]), classes, task)
    values: Mapping[str, Any] = {
        "name": "a", "commit": "", "params": PARAMS, "inputs": {}, "scores": {}, **of_run,
    }  # fmt: skip
    return Run(predictions=predictions, labels=of_labels, **values)


def right(p: float = 0.8) -> list[float]:
    """Probabilities of a picture that shows a cat."""
    return [p, (1 - p) / 2, (1 - p) / 2]


def wrong(p: float = 0.1) -> list[float]:
    """The same, where another class is likelier."""
    return [p, 1 - p, 0.0]


def cats(chances: Mapping[str, Sequence[float]], split: str = "test") -> list[Said]:
    """Pictures of cats: id -> probabilities."""
    return [Said(picture, ["cat"], said, split) for picture, said in chances.items()]


def many(n_wrong: int, name: str = "a", **of_run: Any) -> Run:
    """60 pictures of test and 40 of valid; the first `n_wrong` of each are wrong."""
    rows = [
        said
        for split, n in (("test", 60), ("valid", 40))
        for said in cats(
            {f"{split}{i:02}": wrong() if i < n_wrong else right() for i in range(n)}, split
        )
    ]
    return run_of(rows, name=name, **of_run)
