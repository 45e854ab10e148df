from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.labels.labels import Labels, read_labels, write_labels, write_test_labels
from headstart.pictures.table import first_paths, read_ids, read_pictures, write_ids, write_pictures


@pytest.fixture
def labels() -> Labels:
    table = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d", "e"],
            "labels": [["dog"], ["cat"], ["cat"], None, ["cät"]],
            "split": ["train", "valid", "train", "test", "train"],
            "group": ["a", "b", "c", "d", "of e"],
        }
    )
    return Labels(table, ("cat", "cät", "dog"), "single_label")


def test_labels_survive_the_disk(labels: Labels, tmp_path: Path) -> None:
    write_labels(tmp_path / "new" / "labels.parquet", labels)
    write_test_labels(tmp_path / "new" / "test_labels.parquet", labels)
    back = read_labels(tmp_path / "new" / "labels.parquet", tmp_path / "new/test_labels.parquet")
    assert back.table.to_dict("list") == labels.table.to_dict("list")
    assert (back.classes, back.task) == (labels.classes, labels.task)
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_labels_of_test_are_in_their_own_file_alone(labels: Labels, tmp_path: Path) -> None:
    known = labels.table.assign(split=["train", "test", "train", "test", "train"])
    one, other = tmp_path / "labels.parquet", tmp_path / "test_labels.parquet"
    write_labels(one, Labels(known, labels.classes, labels.task))
    write_test_labels(other, Labels(known, labels.classes, labels.task))
    assert pq.read_table(other).to_pydict() == {
        "id": ["b", "d"], "labels": [["cat"], None], "group": ["b", "d"],
    }  # fmt: skip
    without = read_labels(one)
    assert (without.ids("test"), without.labelled("train")) == (["b", "d"], ["a", "c", "e"])
    assert without.targets(["c", "a"]).tolist() == [0, 2]
    for asked in (
        lambda: without.labelled("test"),
        without.n_labelled,
        lambda: without.class_numbers(["a", "d"]),
        lambda: without.targets(["b"]),
    ):
        with pytest.raises(ValueError, match="the labels of test were not read, such as"):
            asked()
    shown = pq.read_table(one).to_pydict()
    assert (shown["labels"][1], shown["group"][1], shown["group"][4]) == (None, None, "of e")
    assert read_labels(one, other).labelled("test") == ["b"]
    others = pd.Series([["dog"], None, ["cat"], ["cat"], ["cät"]], dtype=object)
    hidden = known.assign(labels=others)
    write_labels(tmp_path / "again", Labels(hidden, labels.classes, labels.task))
    assert (tmp_path / "again").read_bytes() == one.read_bytes()


def test_tables_of_two_runs_do_not_go_together(labels: Labels, tmp_path: Path) -> None:
    write_labels(tmp_path / "l", labels)
    write_test_labels(tmp_path / "t", Labels(labels.table[:3], labels.classes, labels.task))
    with pytest.raises(ValueError, match=r"t has no row for picture 'd' of test: run `dvc repro"):
        read_labels(tmp_path / "l", tmp_path / "t")


def test_labels_answer_by_split(labels: Labels) -> None:
    assert labels.splits() == ["train", "valid", "test"]
    assert labels.ids("train") == ["a", "c", "e"]
    assert labels.ids("test") == ["d"]
    assert labels.labelled("test") == []
    assert Labels(labels.table[:1], labels.classes, labels.task).splits() == ["train"]


def test_targets_are_joined_by_id(labels: Labels) -> None:
    assert labels.targets(["e", "a", "c"]).tolist() == [1, 2, 0]
    assert labels.targets([]).shape == (0,)
    assert labels.class_numbers(["d", "a"]) == [None, [2]]
    for wrong, sentence in (("d", "'d' is not labelled"), ("nobody", "no row for .*'nobody'")):
        with pytest.raises(ValueError, match=sentence):
            labels.targets(["a", wrong])


def test_targets_of_many_labels_are_multi_hot(labels: Labels) -> None:
    table = labels.table.assign(
        labels=pd.Series([["dog", "cat"], ["cat"], [], None, ["cät"]], dtype=object)
    )
    several = Labels(table, labels.classes, "multi_label")
    assert several.targets(["c", "a", "e"]).tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert several.class_numbers(["a", "c", "d"]) == [[2, 0], [], None]
    assert several.targets(["a"]).dtype == np.float32


def test_a_foreign_table_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "labels.parquet")
    with pytest.raises(ValueError, match="holds no class table"):
        read_labels(tmp_path / "labels.parquet")


def test_pictures_and_ids_survive_the_disk(tmp_path: Path) -> None:
    pictures = pd.DataFrame(
        {"id": ["a", "b"], "paths": [["x/1.jpg", "y/2.jpg"], ["3.jpg"]], "width": [4, 5],
         "height": [6, 70000]}
    )  # fmt: skip
    write_pictures(tmp_path / "p", pictures)
    assert read_pictures(tmp_path / "p").to_dict("list") == pictures.to_dict("list")
    assert first_paths(pictures) == [("a", "x/1.jpg"), ("b", "3.jpg")]
    write_ids(tmp_path / "i", ["b", "a"])
    assert read_ids(tmp_path / "i") == ["a", "b"]
    write_pictures(tmp_path / "again", pictures)
    assert (tmp_path / "p").read_bytes() == (tmp_path / "again").read_bytes()


def test_an_empty_table_has_its_types(tmp_path: Path) -> None:
    write_ids(tmp_path / "i", [])
    assert read_ids(tmp_path / "i") == []
