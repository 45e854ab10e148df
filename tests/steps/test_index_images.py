import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from headstart.fetching.image_sources import PackageImages, read_images_source
from headstart.image_files.forms import form_of
from headstart.image_files.tree import list_tree
from headstart.indexing.index import Index, IndexImagesError, write_index
from headstart.indexing.params import IndexImagesParams
from headstart.kept.once import Known
from headstart.kept.records import known_records
from headstart.pictures.facts import facts_key
from headstart.pictures.rgb import decode_rgb
from headstart.project.located import locate
from headstart.project.report import Silent
from headstart.steps.index_images import index_images

Files = dict[str, bytes]

REAL_DATA = os.environ.get("HEADSTART_REAL_DATA")  # read now: tests do not see HEADSTART_*


def picture(number: int, form: str = "PNG", **options: object) -> bytes:
    """A picture unlike that of any other number, 6 px wide and 4 high."""
    values = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, form, **options)
    return buffer.getvalue()


def id_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def index(files: Files, earlier: Known | None = None, **changed: Any) -> Index:
    values: dict[str, Any] = {
        "labels": "folders", "id_column": "id", "label_column": "label", "label_separator": "auto",
        "id_suffix": ".png", "csv_folder": "", "name_regex": "", "task": "single_label",
        "split": "given", "valid_frac": 0.2, "test_frac": 0.2, "n_folds": 0, "fold": 0, "seed": 0,
        "group_regex": "", "group_column": "", "n_max_per_class": 0, "on_problem": "stop",
    }  # fmt: skip
    params = IndexImagesParams(**(values | changed))
    sha256 = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    forms = {path: form_of(data) for path, data in files.items()}
    return index_images(files, sha256, forms, params, Silent(), earlier)


def table(**columns: list[str]) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(row) for row in rows)]).encode()


@pytest.fixture
def given() -> Files:
    """Three splits of two classes."""
    numbers = iter(range(100))
    return {
        f"{split}/{name}/{i}.png": picture(next(numbers))
        for split, n in (("train", 5), ("valid", 2), ("test", 1))
        for name in ("cats", "dogs")
        for i in range(n)
    }


@pytest.fixture
def one_level() -> Files:
    return {
        f"{name}/{i}.png": picture(10 * k + i) for k, name in enumerate("ab") for i in range(10)
    }


def test_given_folders(given: Files) -> None:
    found = index(given)
    assert found.counts() == {
        "n_pictures": 16,
        "n_classes": 2,
        "n_files_ignored": 0,
        "splits": {
            split: {
                "n": 2 * n,
                "n_labelled": 2 * n,
                "n_classes_absent": 0,
                "per_class": {"cats": n, "dogs": n},
            }
            for split, n in (("train", 5), ("valid", 2), ("test", 1))
        },
        "n_problems": {"total": 0},
    }
    row = found.pictures.set_index("id").loc[id_of(given["valid/dogs/1.png"])]
    assert (row["paths"], row["width"], row["height"]) == (["valid/dogs/1.png"], 6, 4)
    assert found.pictures["id"].is_monotonic_increasing
    assert found.pictures["id"].tolist() == found.labels.table["id"].tolist()
    said = found.labels.table.set_index("id").loc[id_of(given["valid/dogs/1.png"])]
    assert (said["labels"], said["split"]) == (["dogs"], "valid")


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


def test_a_missing_part_stays_missing(given: Files) -> None:
    files = {path: data for path, data in given.items() if not path.startswith("test/")}
    assert index(files).labels.splits() == ["train", "valid"]


NOTHING = (
    "No labelled picture is in valid or test, so nothing is scored. The model is still trained"
)
UNJUDGED = "No labelled picture is in valid: fine-tuning runs to its end"


@pytest.mark.parametrize(
    ("left_out", "begins", "ends"),
    [
        ((), "", ""),
        (("test/",), "", ""),
        (("valid/",), UNJUDGED, "split to stratified, which draws valid from train."),
        (("valid/", "test/"), NOTHING, "split to stratified, which draws valid from train."),
    ],
)
def test_what_cannot_be_scored_is_said_at_the_start(
    left_out: tuple[str, ...], begins: str, ends: str, given: Files
) -> None:
    notes = index({p: data for p, data in given.items() if not p.startswith(left_out)}).notes
    assert bool(notes) == bool(begins)
    for note in notes:
        assert note.startswith(begins) and ends in note and "threshold" not in note


def test_test_pictures_without_labels_score_nothing(given: Files) -> None:
    files = {path: data for path, data in given.items() if path.startswith("train/")}
    [note] = index(files | {"test/1.png": picture(77)}).notes
    assert note.startswith(NOTHING)


def test_a_drawn_split_without_valid_says_what_to_set(one_level: Files) -> None:
    [zero] = index(one_level, split="stratified", valid_frac=0.0, test_frac=0.0).notes
    assert zero.startswith(NOTHING) and zero.endswith("set index_images.valid_frac above 0.")
    [few] = index(one_level, split="stratified", valid_frac=0.01, test_frac=0.2).notes
    assert few.startswith(UNJUDGED) and few.endswith("that goes into valid rounds to 0.")
    assert not index(one_level, split="stratified").notes


def test_stratified_folders(one_level: Files) -> None:
    counts = index(one_level, split="stratified").counts()["splits"]
    assert {split: of["per_class"] for split, of in counts.items()} == {
        "train": {"a": 6, "b": 6}, "valid": {"a": 2, "b": 2}, "test": {"a": 2, "b": 2}
    }  # fmt: skip
    none = index(one_level, split="stratified", test_frac=0.0)
    assert none.labels.splits() == ["train", "valid"]


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


def test_names_and_order_shape_nothing_but_the_paths(one_level: Files) -> None:
    before = index(one_level, split="stratified")
    renamed = {
        path.replace("/", f"/{9 - i % 10}-"): data
        for i, (path, data) in enumerate(reversed(one_level.items()))
    }
    after = index(renamed, split="stratified")
    assert before.labels.table.equals(after.labels.table)
    assert before.pictures.drop(columns="paths").equals(after.pictures.drop(columns="paths"))


def test_copies_of_one_content_are_one_picture(given: Files) -> None:
    given["train/cats/copy.png"] = given["train/cats/deeper/copy.png"] = given["train/cats/0.png"]
    found = index(dict(reversed(given.items())))
    assert len(found.pictures) == 16
    row = found.pictures.set_index("id").loc[id_of(given["train/cats/0.png"])]
    assert row["paths"] == ["train/cats/0.png", "train/cats/copy.png", "train/cats/deeper/copy.png"]


def test_sizes_are_after_the_exif_turn(given: Files) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    given["train/cats/turned.jpg"] = turned = picture(77, "JPEG", exif=exif)
    row = index(given).pictures.set_index("id").loc[id_of(turned)]
    assert (row["width"], row["height"]) == (4, 6)


def test_other_files_are_counted_and_left(given: Files) -> None:
    given |= {"readme.txt": b"hi", "train/cats/notes.md": b"x", "train/film.mp4": b"y"}
    found = index(given)
    assert (len(found.pictures), found.n_ignored) == (16, 3)


NAMES = ["1", "2.JPEG", "3.jfif", "4.jpg?w=300", "5.img", "6.png", "7.scan.2"]


def test_the_content_decides_what_is_a_picture() -> None:
    files = {f"{name}/{file}": picture(10 * k + i, "JPEG")
             for k, name in enumerate("ab") for i, file in enumerate(NAMES)}  # fmt: skip
    found = index(files | {"a/notes": b"none", "a/film.mov": b"\0\0\0\x10ftypqt  "},
                  split="stratified")  # fmt: skip
    assert (len(found.pictures), found.n_ignored) == (2 * len(NAMES), 2)


def test_forms_that_pillow_only_reads_are_pictures_too() -> None:
    forms = ["WEBP", "AVIF", "JPEG2000", "TIFF", "GIF", "BMP", "PPM"]
    files = {f"{name}/{form}": picture(10 * k + i, form)
             for k, name in enumerate("ab") for i, form in enumerate(forms)}  # fmt: skip
    assert len(index(files, split="stratified").pictures) == 2 * len(forms)


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


@pytest.fixture
def telephone(given: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Twelve HEIC files and one JPEG XL, and no package that reads them."""
    monkeypatch.setattr("headstart.pictures.plugins.plugin_versions", dict)
    heic = {f"train/cats/IMG_{i}.HEIC": HEIC + bytes([i]) for i in range(12)}
    return given | heic | {"train/dogs/1.jxl": b"\xff\x0a\x00", "train/dogs/e.jpg": b""}


def test_forms_that_need_a_package_are_counted_in_a_line(telephone: Files) -> None:
    with pytest.raises(IndexImagesError) as error:
        index(telephone)
    assert str(error.value).splitlines()[:4] == [
        "14 problems with the pictures (13 needs_package, 1 zero_bytes):",
        "  12 files are HEIC: pip install pillow-heif",
        "  1 file is JPEG XL: pip install pillow-jxl-plugin",
        "  train/dogs/e.jpg: zero_bytes: the file is empty",
    ]


def test_forms_that_need_a_package_are_never_left_out_in_silence(telephone: Files) -> None:
    found = index(telephone, on_problem="set_aside")
    assert found.counts()["n_problems"] == {"total": 14, "needs_package": 13, "zero_bytes": 1}
    assert [note.split(",")[0] for note in found.notes] == [
        "Set aside: 12 files are HEIC: pip install pillow-heif",
        "Set aside: 1 file is JPEG XL: pip install pillow-jxl-plugin",
    ]
    only = {path: data for path, data in telephone.items() if path.endswith(("HEIC", "jxl"))}
    with pytest.raises(IndexImagesError, match=r"of 0 classes .* 12 files are HEIC: pip install"):
        index(only, on_problem="set_aside")


def test_what_is_left_aside_is_named(given: Files, with_table: Files) -> None:
    assert index(given).notes == ()
    others = {f"train/{i}.TXT": b"x" for i in range(3)} | {"t.csv": b"x", "a/LICENSE": b"x"}
    assert index(given | others).notes == (
        "Left aside, as they are no pictures that headstart reads: 3 .txt, 1 .csv, 1 without suffix.",
    )
    assert index(with_table, **TABLE).notes == ()
    [note] = index(with_table | {"sample.csv": b"x"}, **TABLE).notes
    assert note.endswith(": 1 .csv.")


def test_many_kinds_of_files_are_cut_short(given: Files) -> None:
    [note] = index(given | {f"x.k{i}": b"x" for i in range(20)}).notes
    assert note.endswith(
        ": 1 .k0, 1 .k1, 1 .k10, 1 .k11, 1 .k12, 1 .k13, 1 .k14, 1 .k15, 12 others."
    )


@pytest.mark.parametrize("split", ["given", "stratified"])
def test_a_folder_without_pictures_says_what_it_holds(split: str) -> None:
    files = {f"cats/{i}.mp4": b"x" for i in range(5)} | {"b/readme": b"x", "favicon.ico": b"x"}
    with pytest.raises(IndexImagesError) as error:
        index(files, split=split)
    assert str(error.value) == (
        "dataset.source holds no pictures: it holds 5 .mp4 (cats/0.mp4, cats/1.mp4, cats/2.mp4, ...), "
        "1 .ico (favicon.ico), 1 without suffix (b/readme); set it to a folder of pictures."
    )


def test_pictures_of_test_need_no_labels(given: Files) -> None:
    unlabelled = {f"test/{i}.png": picture(90 + i) for i in range(3)}
    files = {path: d for path, d in given.items() if not path.startswith("test/")} | unlabelled
    found = index(files)
    assert len(found.labels.ids("test")) == 3
    assert found.labels.labelled("test") == []
    assert found.counts()["splits"]["test"] == {
        "n": 3,
        "n_labelled": 0,
        "n_classes_absent": 2,
        "classes_absent": "cats, dogs",
        "per_class": {},
    }


def test_n_max_per_class_limits_each_split_by_content(given: Files) -> None:
    found = index(given, n_max_per_class=2)
    sizes = {split: of["n"] for split, of in found.counts()["splits"].items()}
    assert sizes == {"train": 4, "valid": 4, "test": 2}
    lowest = sorted(id_of(given[f"train/cats/{i}.png"]) for i in range(5))[:2]
    assert set(lowest) <= set(found.labels.ids("train"))


def test_n_max_per_class_limits_before_a_drawn_split(one_level: Files) -> None:
    counts = index(one_level, n_max_per_class=5, split="stratified").counts()
    assert counts["n_pictures"] == 10
    assert counts["splits"]["valid"]["per_class"] == {"a": 1, "b": 1}


# Problems: what is done to good files, and what must be said of which path.
def truncate(files: Files) -> None:
    files["train/cats/big.jpg"] = picture(50, "JPEG")[:-60]


def empty(files: Files) -> None:
    files["train/cats/empty.jpg"] = b""


def text(files: Files) -> None:
    files["train/cats/text.jpg"] = b"<html>not found</html>"


def new_class(files: Files) -> None:
    files["valid/mice/1.png"] = picture(51)


def two_labels(files: Files) -> None:
    files["train/dogs/cat.png"] = files["train/cats/0.png"]


def leak(files: Files) -> None:
    files["test/dogs/leak.png"] = files["train/dogs/0.png"]


def unlabelled_leak(files: Files) -> None:
    files["test/leak.png"] = files["train/dogs/0.png"]


def no_class(files: Files) -> None:
    files["train/stray.png"] = picture(52)


def top(files: Files) -> None:
    files["cover.png"] = picture(54)


PROBLEMS: list[tuple[Callable[[Files], None], str, list[str], int]] = [
    (truncate, "damaged", ["train/cats/big.jpg"], 16),
    (empty, "zero_bytes", ["train/cats/empty.jpg"], 16),
    (text, "unreadable", ["train/cats/text.jpg"], 16),
    (new_class, "label_not_in_train", ["valid/mice/1.png"], 16),
    (two_labels, "two_labels", ["train/cats/0.png", "train/dogs/cat.png"], 15),
    (leak, "two_splits", ["test/dogs/leak.png", "train/dogs/0.png"], 15),
    (unlabelled_leak, "two_splits", ["test/leak.png", "train/dogs/0.png"], 15),
    (no_class, "no_class", ["train/stray.png"], 16),
    (top, "no_part", ["cover.png"], 16),
]


@pytest.mark.parametrize(("spoil", "kind", "paths", "n_left"), PROBLEMS)
def test_each_problem_stops_or_is_set_aside(
    spoil: Callable[[Files], None], kind: str, paths: list[str], n_left: int, given: Files
) -> None:
    spoil(given)
    with pytest.raises(IndexImagesError) as error:
        index(given)
    assert f"{len(paths)} problems with the pictures ({len(paths)} {kind})" in str(error.value)
    assert all(f"{path}: {kind}: " in str(error.value) for path in paths)
    found = index(given, on_problem="set_aside")
    assert found.problems["path"].tolist() == paths
    assert set(found.problems["problem"]) == {kind}
    assert found.problems["detail"].str.len().min() > 0
    assert len(found.pictures) == n_left
    left = {path for of_one in found.pictures["paths"] for path in of_one}
    assert not left & set(paths)
    assert found.labels.classes == ("cats", "dogs")
    assert found.counts()["n_problems"] == {"total": len(paths), kind: len(paths)}


def test_all_problems_come_in_one_message_the_rarest_first(given: Files) -> None:
    for i in range(30):
        given[f"train/cats/bad{i:02}.jpg"] = b""
    truncate(given)
    new_class(given)
    with pytest.raises(IndexImagesError) as error:
        index(given)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("(1 damaged, 1 label_not_in_train, 30 zero_bytes):")
    assert lines[1].startswith("  train/cats/big.jpg: damaged: ")
    assert lines[3].startswith("  train/cats/bad00.jpg: zero_bytes")
    assert lines[-2] == "  ... and 12 more"
    assert "index_images.on_problem" in lines[-1]


def test_too_few_classes_are_told(given: Files) -> None:
    cats = {path: data for path, data in given.items() if "cats" in path}
    with pytest.raises(IndexImagesError, match=r"train has 5 pictures of 1 classes \(cats\)"):
        index(cats)
    nothing = {"train/cats/1.png": b""}
    with pytest.raises(IndexImagesError, match="train has 0 pictures of 0 classes"):
        index(nothing, on_problem="set_aside")


def test_a_single_picture_is_no_training_set() -> None:
    """Batch norm needs two; of many labels one picture may have two classes."""
    files = {"train/1.png": picture(1), "labels.csv": table(id=["1"], label=["clear road"])}
    several: dict[str, Any] = {
        "labels": "labels.csv", "csv_folder": "train", "task": "multi_label",
    }  # fmt: skip
    with pytest.raises(
        IndexImagesError, match=r"train has 1 pictures of 2 classes .*2 pictures and 2 classes are"
    ):
        index(files, **several)
    files |= {
        "train/2.png": picture(2),
        "labels.csv": table(id=["1", "2"], label=["clear road", "road"]),
    }
    [note] = index(files, **several).notes
    assert "each label keeps the default threshold. For scores of valid, put labelled" in note
    assert "dataset.source" not in note


@pytest.fixture
def with_table() -> Files:
    files = {f"train/{i}.png": picture(i) for i in range(20)}
    files["labels.csv"] = table(
        id=[str(i) for i in range(20)], label=["golden retriever", "pug"] * 10
    )
    return files


TABLE: dict[str, Any] = {"labels": "labels.csv", "csv_folder": "train", "split": "stratified"}


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


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"labels": "names"}, "name_regex is '', but labels is names"),
        ({"name_regex": "(a)"}, r"name_regex is '\(a\)', but labels is folders"),
        ({"labels": "names", "name_regex": "(a"}, "it is no regular expression"),
        ({"labels": "names", "name_regex": "a"}, "it has no group"),
        (
            {"labels": "names", "name_regex": "(a)", "task": "multi_label"},
            "task is multi_label, but",
        ),
        ({"label_separator": "comma"}, "label_separator is comma, but task is single_label"),
        (
            {"labels": "l.csv", "label_separator": "none", "task": "multi_label"},
            "label_separator is none, but task is multi_label",
        ),
        (
            {"valid_frac": 0.6, "test_frac": 0.4},
            "valid_frac is 0.6 and test_frac 0.4: their sum must be below 1",
        ),
        ({"task": "multi_label"}, "class folders give one label"),
        ({"split": "random"}, "given' or 'stratified"),
        ({"on_problem": "ignore"}, "stop' or 'set_aside"),
        ({"valid_frac": 1.0}, "less than 1"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_params_are_checked(changed: dict[str, Any], match: str, given: Files) -> None:
    with pytest.raises(ValueError, match=match):
        index(given, **changed)


def test_the_bytes_do_not_depend_on_workers(
    given: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("pictures", "labels", "train_ids")
    for n in ("1", "5"):
        monkeypatch.setenv("HEADSTART_WORKERS", n)
        write_index(index(given), *(tmp_path / n / name for name in names))
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "5" / name).read_bytes()


def test_a_corrected_label_changes_no_picture_and_no_train_id(tmp_path: Path) -> None:
    files = {f"{part}/{i}.png": picture(10 * k + i)
             for k, part in enumerate(("train", "valid")) for i in range(4)}  # fmt: skip
    said = ["a", "b"] * 4
    for run, labels in (("before", said), ("after", ["b", *said[1:]])):
        csv = {"l.csv": table(id=[path[:-4] for path in files], label=labels)}
        found = index(files | csv, labels="l.csv")
        write_index(found, *(tmp_path / run / name for name in ("pictures", "labels", "ids")))
    same = {
        name: (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
        for name in ("pictures", "labels", "ids")
    }
    assert same == {"pictures": True, "labels": False, "ids": True}


def test_real_pictures(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_root)
    source = read_images_source("sources/textile.yaml")
    assert isinstance(source, PackageImages)
    folder = locate(source)
    files = {path: (folder / path).read_bytes() for path in list(list_tree(folder).sizes)[::100]}
    counts = index(files, split="stratified").counts()
    assert counts["splits"]["train"]["per_class"] == {"global": 3, "local": 3, "nominal": 6}


@pytest.mark.skipif(not REAL_DATA, reason="HEADSTART_REAL_DATA names no folder with dogbreeds/")
def test_a_table_with_many_rows_too_many() -> None:
    folder = Path(str(REAL_DATA)) / "dogbreeds"
    files = {path: (folder / path).read_bytes() for path in list_tree(folder).sizes}
    found = index(files, **TABLE, label_column="breed", id_suffix=".jpg", on_problem="set_aside")
    assert found.counts()["n_problems"] == {"total": 9222, "row_without_file": 9222}
    assert (len(found.labels.classes), len(found.pictures)) == (120, 1200)


def test_folds_make_another_valid_each() -> None:
    files = {
        f"{name}/{i}.png": picture(100 * k + i) for k, name in enumerate("ab") for i in range(9)
    }
    splits = [index(files, split="stratified", n_folds=3, fold=fold).labels for fold in range(3)]
    valid = [picture_id for labels in splits for picture_id in labels.ids("valid")]
    tests = {tuple(labels.ids("test")) for labels in splits}
    assert len(tests) == 1 and len(valid) == len(set(valid)) == 14


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n_folds": 1}, "n_folds is 1, it must be 0 or at least 2"),
        ({"n_folds": 3, "fold": 3}, "fold is 3, but n_folds is 3: fold must be below"),
        ({"fold": 1}, "fold is 1, but n_folds is 0: .* 0 without folds"),
        ({"n_folds": 3, "split": "given"}, "split must be stratified"),
    ],
)
def test_folds_that_cannot_be(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        index({}, **({"split": "stratified"} | values))


@pytest.fixture
def of_patients() -> Files:
    """Twelve patients with two pictures of a class each, and two pictures of no patient."""
    files = {
        f"{'ab'[number % 2]}/p{number:02}/{i}.png": picture(10 * number + i)
        for number in range(12)
        for i in range(2)
    }
    return files | {"a/0.png": picture(500), "b/0.png": picture(501)}


def splits_of_groups(found: Index) -> dict[str, set[str]]:
    splits: dict[str, set[str]] = {}
    for group, split in zip(found.labels.table["group"], found.labels.table["split"], strict=True):
        splits.setdefault(group, set()).add(split)
    return splits


IN_FOLDERS: dict[str, Any] = {"split": "stratified", "group_regex": r"/(p\d+)/"}


@pytest.mark.parametrize("n_folds", [0, 3])
def test_groups_in_folders_stay_together(n_folds: int, of_patients: Files) -> None:
    found = index(of_patients, **IN_FOLDERS, n_folds=n_folds)
    splits = splits_of_groups(found)
    lone = {id_of(of_patients[path]) for path in ("a/0.png", "b/0.png")}
    assert set(splits) == {f"p{number:02}" for number in range(12)} | lone
    assert all(len(of_one) == 1 for of_one in splits.values())
    assert set.union(*splits.values()) == {"train", "valid", "test"}
    assert found.notes == ("2 of 26 labelled pictures are in no group: each is its own group.",)
    alone = splits_of_groups(index(of_patients, split="stratified"))
    assert len(alone) == 26


def test_groups_in_a_column_stay_together(with_table: Files) -> None:
    patients = [f"p{i // 4}" for i in range(20)]
    with_table["labels.csv"] = table(
        id=[str(i) for i in range(20)], label=["a", "b"] * 10, patient=patients
    )
    with_table |= {f"test/{i}.png": picture(40 + i) for i in range(3)}
    found = index(with_table, **TABLE, test_frac=0.0, group_column="patient")
    in_groups = {g: s for g, s in splits_of_groups(found).items() if g.startswith("p")}
    assert sorted(in_groups) == ["p0", "p1", "p2", "p3", "p4"]
    assert all(len(of_one) == 1 for of_one in in_groups.values())
    assert {split: of["n"] for split, of in found.counts()["splits"].items()} == {
        "train": 16, "valid": 4, "test": 3
    }  # fmt: skip
    assert not found.notes


def test_copies_in_two_groups_join_them(of_patients: Files) -> None:
    of_patients["a/p02/copy.png"] = of_patients["a/p00/0.png"]
    found = index(of_patients, **IN_FOLDERS)
    assert "p02" not in splits_of_groups(found)
    groups = found.labels.table["group"].value_counts()
    assert groups["p00"] == 4
    assert "2 groups were joined into 1, because they hold copies of one picture." in found.notes


def test_a_group_in_two_given_splits_is_a_problem(given: Files) -> None:
    given |= {"train/cats/p1-0.png": picture(70), "valid/cats/p1-1.png": picture(71)}
    given |= {"train/dogs/p2-0.png": picture(72), "test/p2-1.png": picture(73)}
    found = index(given, group_regex=r"p\d", on_problem="set_aside")
    assert found.problems.to_numpy().tolist() == [
        ["train/cats/p1-0.png", "two_splits", "its group p1 is in valid too"],
        ["valid/cats/p1-1.png", "two_splits", "its group p1 is in train too"],
    ]
    assert len(found.pictures) == 18
    assert found.notes[1].startswith("1 pictures without labels belong to groups")
    with pytest.raises(IndexImagesError, match=r"p1-0\.png: two_splits: its group p1 is in valid"):
        index(given, group_regex=r"p\d")


def test_a_valid_that_groups_leave_empty_is_told(of_patients: Files) -> None:
    two = {p: d for p, d in of_patients.items() if "p00" in p or "p01" in p}
    nothing, remedy = index(two, **IN_FOLDERS, test_frac=0.0, valid_frac=0.3).notes
    assert nothing == (
        "Nothing is in valid, because no group is cut: 2 groups, the largest holds 50 % of the "
        "pictures."
    )
    assert remedy.endswith(
        "use a larger index_images.valid_frac or smaller groups, since no group is cut."
    )
    with pytest.raises(ValueError, match=r"n_folds is 3, .* in only 2 groups"):
        index(two, **IN_FOLDERS, test_frac=0.0, n_folds=3)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"group_regex": "^nowhere"}, r"group_regex is '\^nowhere', .* none of the 16 pictures"),
        ({"group_column": "label"}, "group_column is 'label', but labels is folders"),
        (
            {"labels": "l.csv", "group_column": "p", "group_regex": "x"},
            "group_column is 'p' and group_regex 'x': one of them must be ''",
        ),
        ({"group_regex": "(p"}, "it must be a regular expression, but missing \\), unterminated"),
    ],
)
def test_groups_that_cannot_be(changed: dict[str, Any], match: str, given: Files) -> None:
    with pytest.raises(ValueError, match=match):
        index(given, **changed)


def test_a_column_of_groups_that_names_no_picture_is_told(with_table: Files) -> None:
    with_table["labels.csv"] = table(
        id=[str(i) for i in range(20)], label=["a", "b"] * 10, patient=[""] * 20
    )
    with pytest.raises(ValueError, match=r"group_column is 'patient', .* none of the 20 pictures"):
        index(with_table, **TABLE, group_column="patient")
    with pytest.raises(ValueError, match=r"group_column is 'patients', .* did you mean patient\?"):
        index(with_table, **TABLE, group_column="patients")


def test_classes_that_a_split_lacks_are_named() -> None:
    files = {f"a/{i}.png": picture(i) for i in range(10)} | {"b/0.png": picture(50)}
    counts = index(files, split="stratified").counts()["splits"]
    assert counts["train"]["n_classes_absent"] == 0 and "classes_absent" not in counts["train"]
    for split in ("valid", "test"):
        assert (counts[split]["n_classes_absent"], counts[split]["classes_absent"]) == (1, "b")


def test_a_content_is_decoded_once_and_its_problem_is_remembered_too(
    given: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    decoded: list[bytes] = []

    def decode(data: bytes) -> Image.Image:
        decoded.append(data)
        return decode_rgb(data)

    monkeypatch.setattr("headstart.pictures.facts.decode_rgb", decode)
    files = given | {
        "train/cats/half.png": given["train/cats/0.png"][:-40],
        "train/dogs/e.png": b"",
    }
    without = index(files, on_problem="set_aside")
    with known_records(facts_key()) as earlier:
        first = index(files, on_problem="set_aside", earlier=earlier)
    decoded.clear()
    moved = {path.replace("cats/0", "dogs/moved"): data for path, data in files.items()}
    new = picture(99)
    with known_records(facts_key()) as earlier:
        again = index(files, on_problem="set_aside", earlier=earlier)
        assert not decoded
        index(moved | {"train/cats/new.png": new}, on_problem="set_aside", earlier=earlier)
    assert decoded == [new]
    for other in (first, again):
        pd.testing.assert_frame_equal(other.pictures, without.pictures)
        pd.testing.assert_frame_equal(other.problems, without.problems)
    assert sorted(without.problems["problem"]) == ["damaged", "zero_bytes"]
