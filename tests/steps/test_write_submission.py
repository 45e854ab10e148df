"""The submission's rows, columns and cells, joined by id."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from headstart.evaluation.predictions import Predictions
from headstart.project.files import write_csv
from headstart.steps.write_submission import (
    Submission,
    WriteSubmissionParams,
    write_submission,
)

CLASSES = ("cat", "dog", "fox")
PARAMS = WriteSubmissionParams(
    probabilities="tta", form="columns", id_column="image", tags_column="tags", sample=""
)
PLAIN = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.25, 0.5, 0.25]])
TTA = np.array([[0.7, 0.2, 0.1], [1 / 3, 0.1 + 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 1e-17, 0.9]])
TABLE = pd.DataFrame(
    {
        "id": ["v", "a", "b", "c"],
        "split": ["valid", "test", "test", "test"],
        "targets": pd.Series([[0], None, None, [2]], dtype=object),
    }
)
PREDICTIONS = Predictions(CLASSES, TABLE, PLAIN[None], TTA)
SEVERAL = replace(
    PREDICTIONS, task="multi_label", thresholds={"plain": (0.5,) * 3, "tta": (0.2, 0.3, 0.3)}
)
PICTURES = pd.DataFrame(
    {
        "id": ["a", "b", "c", "t", "v"],
        "paths": [
            ["test/10.jpg"],
            ["test/007.png", "test/9.jpg"],
            ["test/1.jpg"],
            ["train/1.jpg"],
            ["valid/1.jpg"],
        ],
    }
)


def submit(
    sample: str | None = None,
    predictions: Predictions = PREDICTIONS,
    pictures: pd.DataFrame = PICTURES,
    **changes: Any,
) -> Submission:
    params = WriteSubmissionParams.model_validate({**PARAMS.model_dump(), **changes})
    return write_submission(predictions, pictures, sample, params)


def rows(result: Submission) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result.table.itertuples(index=False)]


def test_every_file_of_test_without_labels_is_a_row() -> None:
    result = submit()
    assert list(result.table.columns) == ["image", "cat", "dog", "fox"]
    assert rows(result) == [
        ("007", *TTA[2]),
        ("9", *TTA[2]),  # a copy of 007
        ("10", *TTA[1]),
    ]
    assert result.metrics == {"n_rows": 3, "n_unlabelled": 3, "n_not_in_sample": 0}
    labelled = PREDICTIONS.where(TABLE["targets"].notna().to_numpy(bool))
    assert submit(predictions=labelled).metrics["n_rows"] == 0


def test_the_plain_view_can_be_chosen() -> None:
    assert rows(submit(probabilities="plain"))[2] == ("10", *PLAIN[1])


@pytest.mark.parametrize("form", ["columns", "tags"])
@pytest.mark.parametrize("names", [["1", "007", "9", "10"], ["9", "10"], None])
def test_the_order_of_the_tables_does_not_matter(form: str, names: list[str] | None) -> None:
    columns = "cat,dog,fox" if form == "columns" else "tags"
    sample = None if names is None else "\n".join([f"image,{columns}", *names]) + "\n"
    expected = submit(sample, form=form)
    for order in ([4, 2, 0, 3, 1], [1, 0, 4, 3, 2]):
        pictures = PICTURES.iloc[order]  # its index is shuffled with it
        for place in ([3, 0, 2, 1], [0, 1, 2, 3]):
            predictions = replace(
                PREDICTIONS, table=TABLE.iloc[place], views=PLAIN[None][:, place], tta=TTA[place]
            )
            for shuffled in (pictures, pictures.reset_index(drop=True)):
                result = submit(sample, predictions, shuffled, form=form)
                assert rows(result) == rows(expected)
                assert result.metrics == expected.metrics


def test_a_sample_says_which_rows_in_which_order_and_columns() -> None:
    result = submit("fox,image,cat,dog\n0,10.jpg,0,0\n0,007,0,0\n")
    assert list(result.table.columns) == ["fox", "image", "cat", "dog"]
    assert rows(result) == [
        (TTA[1, 2], "10.jpg", TTA[1, 0], TTA[1, 1]),
        (TTA[2, 2], "007", TTA[2, 0], TTA[2, 1]),
    ]
    assert result.metrics == {"n_rows": 2, "n_unlabelled": 2, "n_not_in_sample": 2}


def test_a_sample_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="missing: 'fox'; too many: 'wolf'"):
        submit("image,wolf,dog,cat\n10,0,0,0\n")
    with pytest.raises(ValueError, match=r"1 of the 2 ids .*'7'"):  # is not 007
        submit("image,cat,dog,fox\n10,0,0,0\n7,0,0,0\n")
    with pytest.raises(ValueError, match="missing: 'tags'; too many: 'label'"):
        submit("image,label\n10,cat\n", form="tags")


def test_one_label_a_picture_is_the_most_probable_one() -> None:
    result = submit(form="tags")
    assert list(result.table.columns) == ["image", "tags"]
    assert rows(result) == [("007", "dog"), ("9", "dog"), ("10", "cat")]


def test_many_labels_are_those_that_reach_their_threshold(tmp_path: Path) -> None:
    result = submit("tags,image\ncat,1\ncat,9\ncat,10\n", SEVERAL, form="tags")
    # the second threshold and the third are reached exactly, and in class order
    assert rows(result) == [("fox", "1"), ("cat dog fox", "9"), ("cat dog", "10")]
    plain = submit(predictions=SEVERAL, form="tags", probabilities="plain")
    assert rows(plain) == [("007", ""), ("9", ""), ("10", "cat")]
    write_csv(tmp_path / "s.csv", plain.table)
    assert (tmp_path / "s.csv").read_text() == "image,tags\n007,\n9,\n10,cat\n"


def test_many_labels_as_columns_need_no_thresholds() -> None:
    result = submit(predictions=replace(SEVERAL, thresholds={}))
    assert rows(result)[2] == ("10", *TTA[1])


@pytest.mark.parametrize("thresholds", [{}, {"plain": (0.5,) * 3}, {"tta": (0.5,)}])
def test_tags_without_thresholds_are_refused(thresholds: Any) -> None:
    with pytest.raises(ValueError, match="a threshold of tta predictions for each of the 3 labels"):
        submit(predictions=replace(SEVERAL, thresholds=thresholds), form="tags")


@pytest.mark.parametrize(("form", "header"), [("columns", "cat,dog,fox"), ("tags", "tags")])
@pytest.mark.parametrize("predictions", [PREDICTIONS, SEVERAL])
def test_without_test_pictures_there_is_a_header(
    tmp_path: Path, form: str, header: str, predictions: Predictions
) -> None:
    valid = predictions.where(TABLE["split"].to_numpy() == "valid")
    result = submit(predictions=valid, form=form)
    write_csv(tmp_path / "s.csv", result.table)
    assert (tmp_path / "s.csv").read_text() == f"image,{header}\n"
    assert result.metrics == {"n_rows": 0, "n_unlabelled": 0, "n_not_in_sample": 0}
    with pytest.raises(ValueError, match="1 of the 1 ids"):
        submit(f"image,{header}\n1\n", valid, form=form)


def test_probabilities_and_ids_survive_the_file(tmp_path: Path) -> None:
    result = submit()
    write_csv(tmp_path / "s.csv", result.table)
    with (tmp_path / "s.csv").open(newline="") as file:
        read = list(csv.reader(file))[1:]
    assert [row[0] for row in read] == ["007", "9", "10"]
    assert [[float(cell) for cell in row[1:]] for row in read] == TTA[[2, 2, 1]].tolist()


def test_files_with_one_id_are_refused_unless_a_sample_avoids_them() -> None:
    paths = [["test/10.jpg"], ["test/x/10.png"], ["test/1.jpg"], ["train/1.jpg"], ["valid/1.jpg"]]
    pictures = PICTURES.assign(paths=pd.Series(paths))
    both = re.escape("10 (test/10.jpg and test/x/10.png)")
    with pytest.raises(ValueError, match=both):
        submit(pictures=pictures)
    with pytest.raises(ValueError, match=both):
        submit("image,cat,dog,fox\n10,0,0,0\n", pictures=pictures)
    result = submit("image,cat,dog,fox\n10.png,0,0,0\n", pictures=pictures)
    assert rows(result) == [("10.png", *TTA[2])]


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match="id_column is 'dog', which is a class"):
        submit(id_column="dog")
    assert rows(submit(id_column="dog", form="tags"))[0] == ("007", "dog")
    with pytest.raises(ValueError, match=r"1 predicted pictures have no row .*'b'"):
        submit(pictures=PICTURES[PICTURES["id"] != "b"])


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("probabilities", {"probabilities": "mean"}),
        ("form", {"form": "rows"}),
        ("id_column", {"id_column": ""}),
        ("sample", {"sample": "/elsewhere/sample.csv"}),
        ("sample", {"sample": "../sample.csv"}),
        ("different names", {"form": "tags", "tags_column": "image"}),
    ],
)
def test_params_out_of_range_are_refused(key: str, wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=key):
        WriteSubmissionParams.model_validate({**PARAMS.model_dump(), **wrong})
