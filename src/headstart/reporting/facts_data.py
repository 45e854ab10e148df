"""What a network was trained on: classes, splits, sizes, copies, files set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headstart.labels.labels import SPLITS

Values = Mapping[str, Any]

N_LISTED = 200
"""Files set aside that the page lists; problems.csv lists all."""


@dataclass(frozen=True)
class Counted:
    """Pictures of one class in each split, and in all."""

    name: str
    n: tuple[int, ...]
    n_all: int


@dataclass(frozen=True)
class DataFacts:
    """What the pictures are.

    Attributes:
        splits: those that occur, in the order train, valid, test.
        classes: labelled pictures of each class, in the order of the class table.
        totals: pictures of each split; of many labels this is no sum over the classes.
        unlabelled: pictures of each split without a label.
        sentences: on sizes, copies, groups and files that were left aside.
        problems: kind of the problem -> files that were set aside for it.
        set_aside: the first N_LISTED files set aside: path, kind, detail.
        n_near: pairs of near duplicates.
    """

    splits: tuple[str, ...]
    classes: tuple[Counted, ...]
    totals: Counted
    unlabelled: Counted
    sentences: tuple[str, ...]
    problems: Mapping[str, int]
    set_aside: Sequence[tuple[str, str, str]]
    n_near: int


def data_facts(
    index: Values, pictures: pd.DataFrame, problems: pd.DataFrame, about: Values
) -> DataFacts:
    """Say what the pictures are.

    Args:
        index: metrics of index_images.
        pictures: pictures.parquet: paths, width and height (px) of each picture.
        problems: problems.csv: path, problem, detail.
        about: what the final checkpoint says about itself, for the sizes and the classes.
    """
    by_split = index["splits"]
    splits = tuple(split for split in SPLITS if split in by_split)
    per_class = [by_split[split]["per_class"] for split in splits]
    unlabelled = [by_split[split]["n"] - by_split[split]["n_labelled"] for split in splits]
    return DataFacts(
        splits=splits,
        classes=tuple(
            _counted(name, [n.get(name, 0) for n in per_class]) for name in about["classes"]
        ),
        totals=_counted("pictures", [by_split[split]["n"] for split in splits]),
        unlabelled=_counted("without a label", unlabelled),
        sentences=tuple(filter(None, _sentences(index, pictures, about))),
        problems={
            kind.replace("_", " "): n for kind, n in index["n_problems"].items() if kind != "total"
        },
        set_aside=[
            (path, kind.replace("_", " "), detail)
            for path, kind, detail in problems.head(N_LISTED).astype(str).to_numpy().tolist()
        ],
        n_near=index.get("n_near_duplicates", {}).get("pairs", 0),
    )


def _counted(name: str, n: Sequence[int]) -> Counted:
    return Counted(name, tuple(n), sum(n))


def _sentences(index: Values, pictures: pd.DataFrame, about: Values) -> list[str]:
    return [
        _sizes(pictures),
        _stored(about),
        _copies(pictures["paths"].map(len)),
        _near(index),
        _groups(index),
        _ignored(index["n_files_ignored"]),
    ]


def _sizes(pictures: pd.DataFrame) -> str:
    if pictures.empty:
        return ""
    sides = pictures[["width", "height"]]
    by_area = pictures.assign(area=sides.prod(axis=1)).sort_values("area", kind="stable")
    small, large = (
        f"{row.width:,} × {row.height:,} px" for row in by_area.iloc[[0, -1]].itertuples()
    )
    if small == large and len(sides.drop_duplicates()) == 1:
        return f"All pictures are {small}."
    median = sides.min(axis=1).median()
    return (
        f"The smallest picture is {small}, the largest {large}; the median of the shorter sides is "
        f"{median:,.0f} px."
    )


def _stored(about: Values) -> str:
    forms = about["preprocessing"]["stored"]
    if not forms:
        return ""
    said = ", then ".join(_form(form) for form in forms)
    return (
        f"They are stored as {said}; the network sees {about['size_px']} × {about['size_px']} px."
    )


def _form(form: Values) -> str:
    quality = f" of quality {form['quality']}" if form.get("quality") else ""
    return f"{form['codec']}{quality} with a shorter side of at most {form['size_px']} px"


def _copies(n_paths: "pd.Series[int]") -> str:
    n_files, n_more = int(n_paths.sum()), int((n_paths > 1).sum())
    if not n_more:
        return "No two files have the same content."
    have = "picture has" if n_more == 1 else "pictures have"
    return (
        f"{n_files:,} files hold {len(n_paths):,} different pictures: {n_more:,} {have} exact copies, "
        f"and each counts once."
    )


def _near(index: Values) -> str:
    if "n_near_duplicates" not in index:
        return (
            "Near duplicates were not searched for, or these pictures are too similar to tell them."
        )
    n = index["n_near_duplicates"]
    if not n["pairs"]:
        return "No two pictures show the same shot, as far as a search can tell."
    pairs = "1 pair shows" if n["pairs"] == 1 else f"{n['pairs']:,} pairs show"
    said = [f"{n['in_two_splits'] or 'none'} in two splits"]
    if n["set_aside"]:
        said.append(f"{n['set_aside']:,} without one picture, as a later split has the other")
    if n["of_two_labels"]:
        said.append(f"{n['of_two_labels']:,} with different labels")
    return f"{pairs} one shot: {', '.join(said)}."


def _groups(index: Values) -> str:
    if "n_groups" not in index:
        return ""
    n, n_largest = index["n_groups"], index["n_in_largest_group"]
    return (
        f"The pictures form {n:,} groups, the largest of {n_largest:,}; no group is in two splits."
    )


def _ignored(n: int) -> str:
    if not n:
        return ""
    if n == 1:
        return "One more file is no picture and was left aside."
    return f"{n:,} other files are no pictures and were left aside."
