"""The scores of two runs on one split: paired by picture where they have pictures in common."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from headstart.comparison.judged import judged
from headstart.comparison.runs import Run
from headstart.comparison.scores import KINDS, OwnScore, PairedScore, own_scores, paired_scores
from headstart.evaluation.predictions import Kind

Which = Literal["a", "b"]


@dataclass(frozen=True)
class SplitComparison:
    """Two runs on one split.

    Attributes:
        split: valid or test.
        n_a, n_b: labelled pictures that each run has.
        notes: sentences on pictures that are not compared, and on fairness.
        scores: on the pictures that both have; empty without one.
        own_scores: on all pictures of each run, where they have none in common; else empty.
        pictures: by kind, the rows of `judged` that both have, indexed by id; `labels`, then each other
            column twice, with _a and _b behind its name. Empty without a picture.
    """

    split: str
    n_a: int
    n_b: int
    notes: list[str]
    scores: list[PairedScore]
    own_scores: list[OwnScore]
    pictures: Mapping[Kind, pd.DataFrame]

    @property
    def n(self) -> int:
        """How many pictures are compared."""
        return len(self.pictures["plain"]) if self.pictures else 0

    def one_right(self, kind: Kind, which: Which) -> pd.DataFrame:
        """The rows of `pictures` that run `which` alone gets right, the widest gap of grades first."""
        table, other = self.pictures[kind], {"a": "b", "b": "a"}[which]
        alone = table[table[f"right_{which}"] & ~table[f"right_{other}"]]
        gaps = alone[f"grade_{other}"] - alone[f"grade_{which}"]
        return alone.loc[gaps.sort_values(kind="stable").index]

    def n_both(self, kind: Kind, right: bool) -> int:
        """How many pictures both get right, or both get wrong."""
        table = self.pictures[kind]
        return int(((table["right_a"] == right) & (table["right_b"] == right)).sum())


def compare_split(
    a: Run, b: Run, split: str, classes: Collection[str], same_classes: bool
) -> SplitComparison | None:
    """Compare two runs on `split`; None if neither has labelled pictures of it.

    Pictures are paired by id. Those whose labels differ in the runs are left out.

    Args:
        a: the first run.
        b: the second one.
        split: valid or test.
        classes: those that both runs have; empty if no picture can be paired.
        same_classes: whether neither has others; if not, fewer scores are compared.
    """
    ids_a, ids_b = (list(run.predictions.labelled(split).table["id"]) for run in (a, b))
    if not ids_a and not ids_b:
        return None
    unfair = list(_unfair(a, b, split))
    joined = {kind: _joined(a, b, split, kind, classes) for kind in KINDS} if classes else {}
    same = {kind: _with_same_labels(table) for kind, table in joined.items()}
    if not same or same["plain"].empty:
        notes = [_nothing_paired(split, len(ids_a), len(ids_b)), *unfair]
        return SplitComparison(
            split, len(ids_a), len(ids_b), notes, [], [*own_scores(a, b, split)], {}
        )
    n_both = len(set(ids_a) & set(ids_b))
    left_out = _left_out(n_both - len(joined["plain"]), len(joined["plain"]) - len(same["plain"]))
    scores = list(paired_scores(same, same_classes))
    notes = [*left_out, *unfair]
    return SplitComparison(split, len(ids_a), len(ids_b), notes, scores, [], same)


def _joined(a: Run, b: Run, split: str, kind: Kind, classes: Collection[str]) -> pd.DataFrame:
    """The pictures that both runs have labelled in the split, with the columns of both."""
    of_a, of_b = (judged(run, split, kind, classes) for run in (a, b))
    return of_a.add_suffix("_a").join(of_b.add_suffix("_b"), how="inner")


def _with_same_labels(table: pd.DataFrame) -> pd.DataFrame:
    same = [x == y for x, y in zip(table["labels_a"], table["labels_b"], strict=True)]
    kept = table[np.array(same, bool)].drop(columns="labels_b")
    return kept.rename(columns={"labels_a": "labels"})


def _nothing_paired(split: str, n_a: int, n_b: int) -> str:
    if not n_a or not n_b:
        return f"Only {'a' if n_a else 'b'} has labelled pictures of {split}."
    return (
        f"No picture of {split} can be compared in both, so each score below is of the run's own "
        "pictures, with its own interval."
    )


def _left_out(n_other_class: int, n_other_labels: int) -> Iterator[str]:
    if n_other_class:
        yield f"Left out: {_n(n_other_class)} whose class only one of the runs has."
    if n_other_labels:
        yield f"Left out: {_n(n_other_labels)} whose labels differ in the runs."


def _unfair(a: Run, b: Run, split: str) -> Iterator[str]:
    """A sentence where one run was scored on what the other was trained on."""
    for scored, trained, (x, y) in ((a, b, "ab"), (b, a, "ba")):
        n = len(set(scored.labels.labelled(split)) & set(trained.labels.labelled("train")))
        if n:
            yield (
                f"{y} was trained on {_n(n)} of {x}'s {split}, so the two cannot be compared fairly "
                f"on {'it' if n == 1 else 'them'}."
            )


def _n(n: int) -> str:
    return f"{n:,} picture{'s' * (n != 1)}"
