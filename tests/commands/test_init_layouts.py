"""`headstart init` on layouts that public data sets have: read, left aside, or asked about."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from headstart.indexing.params import IndexImagesParams
from tests.indexed import index
from tests.init_command import draw, files, index_of, pictures, run, written


@pytest.mark.parametrize(
    ("names", "class_folder", "group_regex", "told"),
    [
        (["fold_{}/cat/{{}}.jpg", "fold_{}/dog/{{}}.jpg"], "last", "", "(fold_0, fold_1, fold_2, ...)"),
        (["P{}/cat/{{}}.jpg", "P{}/dog/{{}}.jpg"], "last", "^([^/]+)/", "no split cuts one"),
        (["all/Patient 1{}/cat/{{}}.jpg", "all/Patient 1{}/dog/{{}}.jpg"], "last",
         "^[^/]+/([^/]+)/", "4: Patient 10"),
        (["cat/2024-0{}/{{}}.jpg", "dog/2024-0{}/{{}}.jpg"], "first", "", "(2024-00, 2024-01, 2024"),
        (["cat/P{}/{{}}.jpg", "dog/P{}/{{}}.jpg"], "first", "^[^/]+/([^/]+)/", "4: P0, P1, P2, ..."),
        (["cat/images/{}_{{}}.jpg", "dog/images/{}_{{}}.jpg"], "first", "", "a folder a class"),
    ],
)  # fmt: skip
def test_names_tell_which_of_nested_folders_are_the_classes(
    project: Path, tmp_path: Path, names: list[str], class_folder: str, group_regex: str, told: str
) -> None:
    folder = pictures(tmp_path / "p", *[name.format(k) for k in range(4) for name in names], n=3)
    result = run(folder)
    assert result.exit_code == 0 and told in result.output, result.output
    values = YAML(typ="safe").load(Path("params.yaml"))
    assert index_of(values, "class_folder", "group_regex") == [class_folder, group_regex]
    params = IndexImagesParams(**values["index_images"] | {"near_duplicates": "off"})
    found = index(files(folder), **params.model_dump() | {"class_folder": params.class_folder})
    assert found.labels.classes == ("cat", "dog") and found.problems.empty


def test_who_does_not_say_which_of_nested_folders_are_the_classes_is_asked(
    project: Path, tmp_path: Path
) -> None:
    names = "animals/cat/{}.jpg", "animals/dog/{}.jpg", "vehicles/car/{}.jpg", "vehicles/bus/{}.jpg"
    folder = pictures(tmp_path / "p", *names)
    result = run(folder)
    assert result.exit_code == 1 and not Path("params.yaml").exists()
    assert "2 (animals, vehicles), or 4 (bus, car, cat, dog) below them" in result.output
    for level, classes in (("first", "2: animals 12"), ("last", "4: bus 6")):
        result = run(folder, "--class-folder", level)
        assert result.exit_code == 0 and classes in result.output
        values = YAML(typ="safe").load(Path("params.yaml"))
        assert index_of(values, "class_folder") == [level]


def test_a_table_of_pictures_in_several_folders(project: Path, tmp_path: Path) -> None:
    """As HAM10000 comes: parts of one collection, ids without a suffix, lesions in several pictures."""
    parts = "HAM10000_images_part_1/ISIC_1{}.jpg", "HAM10000_images_part_2/ISIC_2{}.jpg"
    folder = pictures(tmp_path / "p", *parts)
    rows = [
        f"HAM_{i // 2},ISIC_{k}{i},{'nv' if i % 3 else 'mel'}" for k in (1, 2) for i in range(6)
    ]
    (folder / "HAM10000_metadata.csv").write_text("\n".join(["lesion_id,image_id,dx", *rows]))
    values = written(folder)
    keys = (
        "labels",
        "id_column",
        "label_column",
        "id_suffix",
        "csv_folder",
        "group_column",
        "n_folds",
    )
    assert index_of(values, *keys) == [
        "HAM10000_metadata.csv", "image_id", "dx", ".jpg", "*", "lesion_id", 3
    ]  # fmt: skip
    assert "3 by the column lesion_id: no split cuts one" in run(folder).output
    params = IndexImagesParams(**values["index_images"] | {"near_duplicates": "off"})
    found = index(files(folder), **params.model_dump())
    assert len(found.pictures) == 12 and found.problems.empty
    assert found.labels.table["group"].nunique() == 3


@pytest.mark.parametrize(
    ("header", "id_column", "label_column"),
    [
        ("id_code,diagnosis,age", "id_code", "diagnosis"),
        ("scan,stage", "scan", "stage"),
        ("id,code,class,age", "code", "class"),  # id: the number of the row
    ],
)
def test_a_column_that_names_pictures_whatever_it_is_called(
    project: Path, tmp_path: Path, header: str, id_column: str, label_column: str
) -> None:
    folder = pictures(tmp_path / "p", "train_images/x{}.png")
    cells = {"id_code": "x{}", "scan": "x{}", "code": "x{}", "id": "9{}", "age": "4{}"}
    rows = [
        ",".join(
            cells.get(name, "{}").format(i if name in cells else i % 2)
            for name in header.split(",")
        )
        for i in range(6)
    ]
    (folder / "train.csv").write_text("\n".join([header, *rows]))
    assert index_of(written(folder), "id_column", "label_column") == [id_column, label_column]


def test_a_column_of_splits(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "all/a{}.jpg", "all/b{}.jpg", n=8)
    rows = [
        f"all/{name}{i}.jpg,{name},{'val' if i < 2 else 'train'}" for name in "ab" for i in range(8)
    ]
    (folder / "labels.csv").write_text("\n".join(["image,label,split", *rows]))
    values = written(folder)
    assert index_of(values, "split", "split_column", "n_folds") == ["given", "split", 0]
    assert "splits        train, valid by the column split\n" in run(folder).output
    params = IndexImagesParams(**values["index_images"] | {"near_duplicates": "off"})
    found = index(files(folder), **params.model_dump() | {"split_column": "split"})
    assert {s: of["n"] for s, of in found.counts()["splits"].items()} == {"train": 12, "valid": 4}


def test_several_labels_with_spaces_in_them(project: Path, tmp_path: Path) -> None:
    """As NIH's chest X-rays come."""
    names = [f"images_00{k}/images/{k}_{{}}.png" for k in (1, 2)]
    folder = pictures(tmp_path / "p", *names)
    said = "No Finding", "Mass", "Hernia", "Nodule", "Mass|Nodule", "Hernia|Mass"
    rows = [f"{k}_{i}.png,{said[i]},{k}{i // 2}" for k in (1, 2) for i in range(6)]
    (folder / "Data_Entry.csv").write_text(
        "\n".join(["Image Index,Finding Labels,Patient ID", *rows])
    )
    values = written(folder)
    keys = "csv_folder", "task", "label_separator", "group_column"
    assert index_of(values, *keys) == ["*", "multi_label", "pipe", "Patient ID"]
    params = IndexImagesParams(**values["index_images"] | {"near_duplicates": "off"})
    found = index(files(folder), **params.model_dump())
    assert found.labels.classes == ("Hernia", "Mass", "No Finding", "Nodule")


def test_parts_of_a_collection_without_a_table(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "part1/IMG_{}.jpg", "part2/IMG_{}.jpg")
    result = run(folder)
    assert result.exit_code == 1 and not Path("params.yaml").exists()
    assert "(part1, part2) seem to be parts of one collection, and no classes" in result.output
    assert index_of(written(folder, "--class-folder", "first"), "labels") == ["folders"]


def test_folders_and_a_table_that_contradict_each_other(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "old/a{}.jpg", "new/b{}.jpg")
    paths = [f"{where}{i}.jpg" for where in ("old/a", "new/b") for i in range(6)]
    table = folder / "labels.csv"
    table.write_text("\n".join(["file,label", *(f"{p},{i % 2}" for i, p in enumerate(paths))]))
    result = run(folder)
    assert result.exit_code == 1 and not Path("params.yaml").exists()
    assert "(new, old), but labels.csv gives the pictures 2 (0, 1). Say which" in result.output
    assert index_of(written(table), "labels") == ["labels.csv"]
    assert index_of(written(folder, "--class-folder", "first"), "labels") == ["folders"]
    table.write_text("\n".join(["file,label", *(f"{p},the {p[:3]} one" for p in paths)]))
    assert index_of(written(folder, "--force"), "labels") == ["folders"]  # they agree
    table.write_text("file,label\nold/a0.jpg,1\nnew/b0.jpg,1\nnew/b1.jpg,2\n")
    assert index_of(written(folder, "--force"), "labels") == ["folders"]  # of a few pictures alone


def test_classes_of_one_picture(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "all/{}.jpg")
    (folder / "l.csv").write_text("image,label\n" + "".join(f"{i}.jpg,{i / 7}\n" for i in range(6)))
    result = run(folder)
    assert result.exit_code == 1 and not Path("params.yaml").exists()
    assert "has 6 classes (by l.csv) for 6 pictures, such as 0.0, 0.14" in result.output
    assert "headstart learns classes, not numbers" in result.output
    result = run(pictures(tmp_path / "q", *[f"item {k}/{{}}.jpg" for k in "abc"], n=1))
    assert result.exit_code == 1 and "3 classes (a folder a class) for 3 pictures" in result.output
    assert "Choose labels that several pictures share." in result.output


def test_pictures_and_names_that_may_be_a_slip(project: Path, tmp_path: Path) -> None:
    names = "Pug Dog/{}.jpg", "pug_dog/{}.jpg", "unlabeled/{}.jpg"
    folder = pictures(tmp_path / "p", *names)
    draw(folder / "stray.jpg", 999)
    result = run(folder)
    assert result.exit_code == 0
    assert "no class      1: stray.jpg: it is set aside" in result.output
    assert "'Pug Dog' and 'pug_dog' differ only in case, spaces, - or _" in result.output
    assert "The class unlabeled seems to hold pictures that nobody has labelled" in result.output


def test_a_valid_of_no_class_of_train(project: Path, tmp_path: Path) -> None:
    names = "train/a/images/{}.jpg", "train/b/images/{}.jpg"  # as in Tiny ImageNet
    result = run(pictures(tmp_path / "p", *names, "val/images/{}.jpg", "test/images/{}.jpg"))
    assert result.exit_code == 1
    assert (
        "6 pictures in valid, none in a class folder of train (a, b): they lie in none"
        in result.output
    )
    result = run(pictures(tmp_path / "q", "train/a/{}.jpg", "train/b/{}.jpg", "val/A/{}.jpg"))
    assert result.exit_code == 1 and "train (a, b): they lie in A. Put them" in result.output
    result = run(pictures(tmp_path / "r", *names, "val/a/{}.jpg", "val/c/{}.jpg", "test/c/{}.jpg"))
    assert result.exit_code == 0
    assert "not in train  6 c of test, 6 c of valid: these are set aside" in result.output


@pytest.mark.parametrize("between", [" ", ",", "\t"])
def test_a_list_without_names_of_columns(project: Path, tmp_path: Path, between: str) -> None:
    folder = pictures(tmp_path / "p", "all/IMG_{}.jpg")
    lines = "".join(f"all/IMG_{i}.jpg{between}{i % 2}\n" for i in range(6))
    (folder / "train.txt").write_text(lines)
    for named in (folder, folder / "train.txt"):
        result = run(named)
        assert result.exit_code == 1
        assert (
            "train.txt has no line with names of columns: its first line is 'all/IMG_0"
            in result.output
        )


def test_files_that_seem_to_be_annotations(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "train/images/{}.jpg", "valid/images/{}.jpg")
    for path in folder.rglob("*.jpg"):
        label = path.parents[1] / "labels" / f"{path.stem}.txt"
        label.parent.mkdir(exist_ok=True)
        label.write_text("0 0.5 0.5 0.2 0.2\n")
    result = run(folder)
    assert (
        result.exit_code == 1 and "Its 12 .txt files seem to say where things are" in result.output
    )
