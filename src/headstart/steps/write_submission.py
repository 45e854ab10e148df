"""Make the table that a competition asks for: one row per file of test, named by its id.

Axis letters: N images, K classes.
"""

from dataclasses import dataclass
from typing import Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from headstart.evaluation.predictions import Kind, Predictions
from headstart.image_files.tree import BelowImages
from headstart.project.errors import HeadstartError
from headstart.project.section import Section
from headstart.reporting.submission import parse_sample, rows_of_files, rows_of_sample
from headstart.scores.metrics import predicted_classes
from headstart.scores.thresholds import decide


class WriteSubmissionParams(Section):
    """Section `write_submission`: the form that a competition asks for."""

    probabilities: Kind = Field(description="predictions used: plain or tta")
    form: Literal["columns", "tags"] = Field(
        description="columns: one column per class, with its probability; tags: one column with the "
        "labels that reach their threshold, separated by spaces (single_label: the most probable "
        "class)"
    )
    id_column: str = Field(min_length=1, description="name of the column of ids")
    tags_column: str = Field(min_length=1, description="tags: name of the column of labels")
    sample: BelowImages = Field(
        description="path of the competition's sample submission below the images folder, whose "
        "ids, order and columns are used; '': one row per unlabelled file of test, sorted by id"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.form == "tags" and self.id_column == self.tags_column:
            raise ValueError(
                f"id_column is {self.id_column!r}, the same as tags_column: they must have different "
                "names"
            )
        return self


@dataclass(frozen=True)
class Submission:
    """The submission as a table, and its counts."""

    table: pd.DataFrame
    """One row per file: id (str), then a column per class (probability in [0, 1]) or one of tags."""
    metrics: dict[str, int]
    """n_rows; n_unlabelled: rows of pictures whose labels are not known; n_not_in_sample: predicted
    files of test that the sample does not ask for (0 without a sample)."""


def write_submission(
    predictions: Predictions,
    pictures: pd.DataFrame,
    sample: str | None,
    params: WriteSubmissionParams,
) -> Submission:
    """Make the submission from the predictions of test; each copy of a picture has a row.

    Without a sample, each file of test whose labels are not known has a row: a labelled file is the
    user's own. Without such files the table has no row.

    Args:
        predictions: predictions of the final checkpoint.
        pictures: columns id and paths, for the names of the files.
        sample: text of the competition's sample submission (CSV), or None.
        params: section write_submission.

    Raises:
        ValueError: two columns have one name, thresholds are needed and absent, a predicted picture
            has no files, or ids, files and columns do not match the sample or the form of a
            submission (reporting.submission).
    """
    test = predictions.where(predictions.table["split"].to_numpy() == "test")
    values = _tags(test, params) if params.form == "tags" else _columns(test, params)
    labelled = set(test.labelled("test").table["id"])
    if sample is None:
        test = test.where(~test.table["id"].isin(labelled).to_numpy(bool))
    picture_of = _files(test, pictures)
    header = [params.id_column, *values.columns]
    if sample is None:
        rows = rows_of_files(picture_of)
    else:
        header, ids = parse_sample(sample, params.id_column, list(values.columns))
        rows = rows_of_sample(ids, picture_of)
    chosen = [picture_of[row.path] for row in rows]
    table = values.loc[chosen].reset_index(drop=True)
    table.insert(0, params.id_column, pd.Series([row.id for row in rows], dtype=str))
    metrics = {
        "n_rows": len(rows),
        "n_unlabelled": sum(picture not in labelled for picture in chosen),
        "n_not_in_sample": len(picture_of) - len(rows),
    }
    return Submission(table[header], metrics)


def _columns(test: Predictions, params: WriteSubmissionParams) -> pd.DataFrame:
    """(N, K) Probabilities: rows by picture id, columns by class."""
    if params.id_column in test.classes:
        raise HeadstartError(
            f"write_submission.id_column is {params.id_column!r}, which is a class: with form columns, "
            "the ids and this class would share one column; choose another name."
        )
    values, ids = test.probabilities(params.probabilities), test.table["id"].tolist()
    return pd.DataFrame(values, index=ids, columns=list(test.classes))


def _tags(test: Predictions, params: WriteSubmissionParams) -> pd.DataFrame:
    """(N, 1) Labels of each picture, separated by spaces, in class order: rows by picture id."""
    values, classes = test.probabilities(params.probabilities), test.classes
    if test.task == "single_label":
        tags = [classes[number] for number in predicted_classes(values)]
    else:
        thresholds = test.thresholds.get(params.probabilities, ())
        if len(thresholds) != len(classes):
            raise HeadstartError(
                f"write_submission.form is tags, which needs a threshold of {params.probabilities} "
                f"predictions for each of the {len(classes)} labels; the predictions have "
                f"{len(thresholds)}. With form columns, no threshold is needed."
            )
        tags = [
            " ".join(name for name, reached in zip(classes, row, strict=True) if reached)
            for row in decide(values, thresholds)
        ]
    return pd.DataFrame({params.tags_column: tags}, index=test.table["id"].tolist(), dtype=object)


def _files(test: Predictions, pictures: pd.DataFrame) -> dict[str, str]:
    """Path of each file of test -> id of its picture."""
    paths = dict(zip(pictures["id"], pictures["paths"], strict=True))
    if missing := [picture for picture in test.table["id"] if picture not in paths]:
        raise HeadstartError(
            f"{len(missing)} predicted pictures have no row in the table of pictures (first: "
            f"{missing[0]!r}): predictions and pictures come from different runs."
        )
    return {path: picture for picture in test.table["id"] for path in paths[picture]}
