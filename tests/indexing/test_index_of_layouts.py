"""Where index-images finds labels and splits: folders, tables, names of files."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headstart.image_files.tree import list_tree
from headstart.indexing.index import IndexImagesError
from tests.indexed import TABLE, Files, id_of, index, picture, table

REAL_DATA = os.environ.get("HEADSTART_REAL_DATA")  # read now: tests do not see HEADSTART_*


def under(files: Files, **names: str) -> Files:
    """The same files with other names of the top folders."""
    return {
        f"{names.get(path.partition('/')[0], path.partition('/')[0])}/{path.partition('/')[2]}": data
        for path, data in files.items()
    }


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [
        ("train", "val", "test"),
        ("training", "validation", "testing"),
        ("Train", "Valid", "Test"),
        ("training_set", "val-set", "test_set"),
        ("TRAIN", "dev", "test-images"),
    ],
)
def test_splits_under_their_usual_names(given: Files, train: str, valid: str, test: str) -> None:
    files = under(given, train=train, valid=valid, test=test)
    found, plain = index(files), index(given)
    pd.testing.assert_frame_equal(found.labels.table, plain.labels.table)
    [note] = found.notes
    assert note.startswith("Folder ") and f"{valid} is read as valid" in note
    with pytest.raises(ValueError, match=r"already split into .*set it to given, or let `headst"):
        index(files, split="stratified")


def test_a_wrapping_folder_is_passed_through(given: Files, one_level: Files) -> None:
    for files, split in ((given, "given"), (one_level, "stratified")):
        wrapped = {f"archive/pictures/{path}": data for path, data in files.items()}
        found = index(wrapped, split=split)
        pd.testing.assert_frame_equal(found.labels.table, index(files, split=split).labels.table)
        assert found.notes == (
            "The pictures lie in the folder archive/pictures, which is no class.",
        )


def test_folders_beside_the_splits_are_left_aside_and_named(given: Files) -> None:
    beside = {"sample/train/cats/1.png": given["train/cats/0.png"], "models/bad.jpg": b""}
    found = index(given | beside)
    pd.testing.assert_frame_equal(found.labels.table, index(given).labels.table)
    assert found.problems.empty
    [note] = found.notes
    assert note.endswith("left aside, with their pictures: models (1), sample (1).")


def test_splits_of_a_year_and_folders_of_images(given: Files) -> None:
    """Shapes of COCO and Tiny ImageNet."""
    named = {
        path.replace("train", "train2017").replace("valid", "val2017").replace("/cats", "/cats/img"):
        data for path, data in given.items()
    }  # fmt: skip
    found = index(named)
    pd.testing.assert_frame_equal(found.labels.table, index(given).labels.table)
    assert found.notes == ("Folder train2017 is read as train, val2017 is read as valid.",)
    unlabelled = {path: data for path, data in given.items() if not path.startswith("test/")}
    unlabelled["test/images/0.png"] = picture(70)
    assert index(unlabelled).labels.labelled("test") == []
    assert len(index(unlabelled).labels.ids("test")) == 1


def test_masks_are_left_aside(one_level: Files) -> None:
    masks = {f"{path.removesuffix('.png')}_mask.png": picture(200 + k)
             for k, path in enumerate(one_level)}  # fmt: skip
    folders = {f"a/masks/{i}.png": picture(300 + i) for i in range(3)}
    images = {f"a/images/{i}.png": picture(400 + i) for i in range(3)}
    found = index(one_level | images | masks | folders, split="stratified")
    assert found.problems.empty and len(found.pictures) == 23
    assert "left aside: a, beside their pictures (10), a/masks (3), b, beside" in found.notes[0]
    rows = {"id": [str(i) for i in range(3)], "label": ["a", "b", "b"]}
    of_table = index(images | folders | {"labels.csv": table(**rows)},
                     **TABLE | {"csv_folder": "a/images"}, test_frac=0.0)  # fmt: skip
    assert of_table.problems.empty and len(of_table.pictures) == 3


def test_the_last_folder_may_be_the_class() -> None:
    files = {
        f"{animal}/{name}/images/{i}.png": picture(50 * k + 10 * m + i)
        for k, animal in enumerate(("P1", "P2", "P3")) for m, name in enumerate("ab") for i in range(5)
    }  # fmt: skip
    assert index(files, split="stratified").labels.classes == ("P1", "P2", "P3")
    by_last: dict[str, Any] = {
        "class_folder": "last",
        "split": "stratified",
        "valid_frac": 0.4,
        "test_frac": 0.0,
    }
    found = index(files, **by_last, group_regex="^([^/]+)/")
    assert found.labels.classes == ("a", "b")
    assert found.counts()["splits"]["valid"]["n_groups"] == 1
    assert index(files, split="stratified").notes[0].endswith("index_images.class_folder to last.")
    with pytest.raises(ValueError, match="class_folder is last, but labels is names"):
        index(files, **by_last, labels="names", name_regex="(.)")


def test_a_class_may_be_named_like_a_split() -> None:
    vehicles = {
        f"{name}/{part}{i}.png": picture(10 * k + i)
        for k, (name, part) in enumerate((("train", "side/"), ("bus", "front/"), ("car", "")))
        for i in range(10)
    }
    assert index(vehicles, split="stratified").labels.classes == ("bus", "car", "train")
    loose = {
        f"{name}/{i}.png": picture(100 + i) for i, name in enumerate(("train", "val", "other"))
    }
    with pytest.raises(ValueError, match="already split into folders"):
        index(loose, split="stratified")


def test_valid_is_drawn_from_train_and_test_stays(given: Files) -> None:
    files = {path: data for path, data in given.items() if not path.startswith("valid/")}
    found = index(files, split="stratified", valid_frac=0.2, test_frac=0.0)
    counts = {split: of["n"] for split, of in found.counts()["splits"].items()}
    assert counts == {"train": 8, "valid": 2, "test": 2}
    of_test = set(found.labels.ids("test"))
    assert of_test == {id_of(data) for path, data in files.items() if path.startswith("test/")}
    with pytest.raises(ValueError, match=r"test_frac is 0.2, but the folder test already holds"):
        index(files, split="stratified", valid_frac=0.2, test_frac=0.2)


def test_the_form_of_the_folders_must_be_declared(given: Files, one_level: Files) -> None:
    with pytest.raises(ValueError, match=r"have no folder train/ \(they have a, b\).*stratified"):
        index(one_level)
    with pytest.raises(
        ValueError, match=r"already split .*test as test, train as train, .*set it to given, or let"
    ):
        index(given, split="stratified")


def test_a_class_may_be_called_train() -> None:
    files = {f"{name}/{i}.png": picture(10 * k + i)
             for k, name in enumerate(("bus", "train")) for i in range(5)}  # fmt: skip
    assert index(files, split="stratified").labels.classes == ("bus", "train")


def test_labels_of_a_table(with_table: Files) -> None:
    with_table |= {f"test/{i}.png": picture(40 + i) for i in range(3)}
    found = index(with_table, **TABLE, test_frac=0.0)
    assert found.labels.classes == ("golden retriever", "pug")
    assert len(found.labels.ids("test")) == 3
    assert found.labels.labelled("test") == []
    assert found.counts()["splits"]["valid"]["per_class"] == {"golden retriever": 2, "pug": 2}
    assert found.n_ignored == 1


def test_rows_and_files_must_match(with_table: Files) -> None:
    with_table["train/extra.png"] = picture(60)
    del with_table["train/3.png"]
    with_table["labels.csv"] = with_table["labels.csv"].replace(b"\n9,pug", b"\n9, ")
    with_table["labels.csv"] += b"\n5,golden retriever\n6,golden retriever"  # 5 is a pug; 6 is not
    found = index(with_table, **TABLE, on_problem="set_aside")
    assert found.problems[["path", "problem"]].to_numpy().tolist() == [
        ["train/3.png", "row_without_file"],
        ["train/5.png", "two_labels"],
        ["train/9.png", "no_label"],
        ["train/extra.png", "file_without_row"],
    ]
    assert len(found.pictures) == 17


def test_a_row_without_label_is_no_further_kind_of_label() -> None:
    files = {f"{i}.png": picture(i) for i in range(5)}
    files["l.csv"] = table(id=list("01234"), label=["a", "b", "a", "b", ""])
    found = index(files, labels="l.csv", split="stratified", on_problem="set_aside")
    assert found.problems["problem"].tolist() == ["no_label"]


def test_a_table_and_given_folders() -> None:
    files = {f"{part}/{i}.png": picture(10 * k + i)
             for k, part in enumerate(("train", "valid")) for i in range(4)}  # fmt: skip
    files["l.csv"] = table(id=[path[:-4] for path in files], label=["a", "b"] * 4)
    found = index(files, labels="l.csv")
    assert {split: of["n"] for split, of in found.counts()["splits"].items()} == {
        "train": 4, "valid": 4
    }  # fmt: skip


@pytest.mark.parametrize(
    ("csv", "changed", "match"),
    [
        (
            None,
            {"labels": "label.csv"},
            r"labels is 'label\.csv'.* no such file.* mean labels\.csv\?",
        ),
        (None, {"label_column": "breed"}, r"no column breed \(it has id, label\)"),
        (b"", {}, r"labels\.csv is empty"),
        (
            None,
            {"id_suffix": ".jpg"},
            r'none of the 20 ids .*mean index_images\.id_suffix: "\.png"\?',
        ),
        (b"id,label\n0,a b\n1,b c\n2,a c\n3,c\n", {}, "single_label, but the 4 different labels"),
        (None, {"task": "multi_label", "label_column": "id"}, "no row has more than one label"),
    ],
)
def test_a_table_that_does_not_fit_is_told(
    csv: bytes | None, changed: dict[str, Any], match: str, with_table: Files
) -> None:
    if csv is not None:
        with_table["labels.csv"] = csv
    with pytest.raises(ValueError, match=match):
        index(with_table, **(TABLE | changed))


def test_multi_label_tables(with_table: Files) -> None:
    tags = ["clear road", "road clear", "", "mine", *["clear"] * 16]
    with_table["labels.csv"] = "\ufeff".encode() + table(id=[str(i) for i in range(20)], label=tags)
    found = index(with_table, **TABLE, task="multi_label", test_frac=0.0)
    said = dict(zip(found.labels.table["id"], found.labels.table["labels"], strict=True))
    assert said[id_of(with_table["train/0.png"])] == ["clear", "road"]
    assert said[id_of(with_table["train/1.png"])] == ["clear", "road"]
    assert said[id_of(with_table["train/2.png"])] == []
    assert found.labels.classes == ("clear", "mine", "road")


def test_the_imagefolder_of_hugging_face() -> None:
    files = {f"train/{i}.png": picture(i) for i in range(6)}
    lines = [f'{{"file_name": "{i}.png", "label": "{"ab"[i % 2]}"}}' for i in range(6)]
    metadata = {"train/metadata.jsonl": "\n".join(lines).encode()}
    form: dict[str, Any] = {
        "labels": "train/metadata.jsonl",
        "id_column": "file_name",
        "id_suffix": "",
    }
    assert index(files | metadata, **form).counts()["splits"]["train"]["per_class"] == {
        "a": 3, "b": 3
    }  # fmt: skip
    of_test = {
        "test/9.png": picture(9),
        "test/metadata.jsonl": b'{"file_name": "9.png", "label": "a"}',
    }
    with pytest.raises(ValueError, match=r"names train/metadata\.jsonl alone"):
        index(files | metadata | of_test, **form)
    form["labels"] = "*/metadata.jsonl"
    found = index(files | metadata | of_test, **form)
    assert {split: of["per_class"] for split, of in found.counts()["splits"].items()} == {
        "train": {"a": 3, "b": 3}, "test": {"a": 1}
    }  # fmt: skip
    [note] = found.notes  # and none on files that are left aside
    assert note.startswith("No labelled picture is in valid") and found.n_ignored == 2
    of_test["test/metadata.jsonl"] += b'\n{"file_name": "9.png", "label": "b"}'
    with pytest.raises(IndexImagesError, match=r"test/9\.png: two_labels: rows of the table say a"):
        index(files | metadata | of_test, **form)
    of_test["test/metadata.jsonl"] = b'{"file_name": "9.png"}'
    with pytest.raises(
        ValueError, match=r"test/metadata\.jsonl has no column 'label', but train/m"
    ):
        index(files | metadata | of_test, **form)


def test_tables_of_the_splits_hold_labels_and_groups() -> None:
    files: Files = {}
    for k, part in enumerate(("train", "valid", "test")):
        ids = [f"{i}.png" for i in range(4)]
        files |= {f"set/{part}/{name}": picture(10 * k + i) for i, name in enumerate(ids)}
        # the same names in each split; several labels in train alone
        label = ["a b", "b", "a", "b"] if part == "train" else ["a", "b", "", "b"]
        groups = [f"{part}{i // 2}" for i in range(4)]
        files[f"set/{part}/metadata.csv"] = table(file_name=ids, labels=label, patient=groups)
    found = index(
        files, labels="set/*/metadata.csv", id_column="file_name", label_column="labels",
        id_suffix="", task="multi_label", group_column="patient",
    )  # fmt: skip
    said = found.labels.table.set_index("id")
    assert said.loc[id_of(files["set/train/0.png"]), "labels"] == ["a", "b"]
    assert said.loc[id_of(files["set/test/3.png"]), "group"] == "test1"
    assert said["split"].value_counts().to_dict() == {"train": 4, "valid": 4, "test": 4}


def test_a_table_of_windows_is_read_and_told(with_table: Files) -> None:
    old = with_table["labels.csv"].decode().replace("pug", "Bär").replace(",", ";")
    with_table["labels.csv"] = old.replace("\n", "\r\n").encode("cp1252")
    found = index(with_table, **TABLE)
    assert found.labels.classes == ("Bär", "golden retriever")
    [note] = found.notes
    assert "read as Windows-1252 (its line 3 reads '1;Bär')" in note


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_column_a_class(task: str, with_table: Files) -> None:
    flags = ["1,0" if i % 2 else "0,1" for i in range(19)]
    rows = [*flags, "1,1" if task == "multi_label" else "1,0"]
    lines = ["id,a b,c", *(f"{i},{row}" for i, row in enumerate(rows))]
    with_table["labels.csv"] = "\n".join(lines).encode()
    found = index(with_table, **TABLE, task=task, label_column="*")
    said = dict(zip(found.labels.table["id"], found.labels.table["labels"], strict=True))
    assert said[id_of(with_table["train/1.png"])] == ["a b"]
    last = ["a b", "c"] if task == "multi_label" else ["a b"]
    assert said[id_of(with_table["train/19.png"])] == last


def test_dogs_and_cats_of_kaggle_by_their_names() -> None:
    files = {f"train/{name}.{i}.jpg": picture(50 * k + i, "JPEG")
             for k, name in enumerate(("cat", "dog")) for i in range(10)}  # fmt: skip
    files |= {f"test/{i}.jpg": picture(200 + i, "JPEG") for i in range(3)}
    by_name: dict[str, Any] = {"labels": "names", "name_regex": r"^(.+?)\.\d+\."}
    drawn = index(files, **by_name, split="stratified", test_frac=0.0).counts()["splits"]
    assert {split: of["per_class"] for split, of in drawn.items()} == {
        "train": {"cat": 8, "dog": 8}, "valid": {"cat": 2, "dog": 2}, "test": {}
    }  # fmt: skip
    moved = {path.replace("train/cat.9", "valid/cat.9"): data for path, data in files.items()}
    given = index(moved, **by_name).counts()["splits"]
    assert {split: of["n"] for split, of in given.items()} == {"train": 19, "valid": 1, "test": 3}
    with pytest.raises(
        IndexImagesError, match=r"train/stray\.png: no_class: index_images\.name_regex"
    ):
        index(files | {"train/stray.png": picture(99)}, **by_name)


@pytest.mark.skipif(not REAL_DATA, reason="HEADSTART_REAL_DATA names no folder with dogbreeds/")
def test_a_table_with_many_rows_too_many() -> None:
    folder = Path(str(REAL_DATA)) / "dogbreeds"
    files = {path: (folder / path).read_bytes() for path in list_tree(folder).sizes}
    found = index(files, **TABLE, label_column="breed", id_suffix=".jpg", on_problem="set_aside")
    assert found.counts()["n_problems"] == {"total": 9222, "row_without_file": 9222}
    assert (len(found.labels.classes), len(found.pictures)) == (120, 1200)


def test_a_labelled_test_folder_stays_test_whatever_is_drawn() -> None:
    files = {
        f"kaggle/{part}/{i}.png": picture(10 * k + i)
        for k, part in enumerate(("train", "Test"))
        for i in range(10)
    }
    files["kaggle/labels.csv"] = table(
        id=[path.partition("/")[2] for path in files], label=["a", "b"] * 10
    )
    found = index(
        files, labels="kaggle/labels.csv", id_suffix="", split="stratified", test_frac=0.0
    )
    of_test = {id_of(data) for path, data in files.items() if "/Test/" in path}
    assert set(found.labels.ids("test")) == of_test
    assert found.labels.splits() == ["train", "valid", "test"]


def test_a_flat_test_folder_beside_class_folders_is_test(one_level: Files) -> None:
    of_test = {f"Test/{i}.png": picture(90 + i) for i in range(3)}
    found = index(one_level | of_test, split="stratified", test_frac=0.0)
    assert found.labels.classes == ("a", "b")
    assert set(found.labels.ids("test")) == {id_of(data) for data in of_test.values()}
    assert found.labels.labelled("test") == []
    [note] = found.notes
    assert note.startswith("The folder Test beside class folders is read as test, because")
    assert note.endswith("If it is a class, give it another name.")
    alone = index(one_level, split="stratified", test_frac=0.0).labels.table
    table = found.labels.table
    pd.testing.assert_frame_equal(table[table["split"] != "test"].reset_index(drop=True), alone)
    with pytest.raises(ValueError, match=r"no folder train/ \(they have Test, a, b\)"):
        index(one_level | of_test)


@pytest.mark.parametrize(
    ("tops", "classes"),
    [
        (("control", "test"), ("control", "test")),  # two classes are needed
        (("a", "b", "test/left"), ("a", "b", "test")),  # test has folders of its own
    ],
)
def test_a_class_may_be_called_test(tops: tuple[str, ...], classes: tuple[str, ...]) -> None:
    files = {f"{top}/{i}.png": picture(10 * k + i) for k, top in enumerate(tops) for i in range(5)}
    assert index(files, split="stratified").labels.classes == classes
