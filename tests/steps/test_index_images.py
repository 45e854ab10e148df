from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from headstart.fetching.image_sources import PackageImages, read_images_source
from headstart.image_files.tree import list_tree
from headstart.indexing.index import Index, IndexImagesError, write_index
from headstart.kept.records import known_records
from headstart.labels.labels import write_labels
from headstart.pictures.facts import Facts, facts_key
from headstart.pictures.rgb import decode_rgb
from headstart.project.located import locate
from tests.indexed import Files, id_of, index, picture, table

TABLES = ("pictures", "labels", "test_labels", "train_ids")
PICTURES_OF_THREE_SPLITS = {
    f"{split}/{i}.png": picture(100 * k + i)
    for k, (split, n) in enumerate({"train": 8, "valid": 8, "test": 6}.items())
    for i in range(n)
}


def tables_of(found: Index, folder: Path) -> dict[str, bytes]:
    """The bytes of the tables of an index, by name."""
    write_index(found, *(folder / name for name in TABLES))
    return {name: (folder / name).read_bytes() for name in TABLES}


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
        "n_near_duplicates": {
            "pairs": 0, "in_two_splits": 0, "set_aside": 0,
            "of_two_labels": 0, "mirrored": 0, "cropped": 0,
        },
        "n_problems": {"total": 0},
    }  # fmt: skip
    row = found.pictures.set_index("id").loc[id_of(given["valid/dogs/1.png"])]
    assert (row["paths"], row["width"], row["height"]) == (["valid/dogs/1.png"], 6, 4)
    assert found.pictures["id"].is_monotonic_increasing
    assert found.pictures["id"].tolist() == found.labels.table["id"].tolist()
    said = found.labels.table.set_index("id").loc[id_of(given["valid/dogs/1.png"])]
    assert (said["labels"], said["split"]) == (["dogs"], "valid")


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


@pytest.mark.parametrize("copy", ["test/0.png", "test/z.png"])  # before and after the labelled one
def test_a_copy_without_label_takes_none_from_the_others(given: Files, copy: str) -> None:
    labelled = given["test/cats/0.png"]
    rows = index(given | {copy: labelled}).labels.table.set_index("id")
    assert rows.loc[id_of(labelled), "labels"] == ["cats"]


def test_sizes_are_after_the_exif_turn(given: Files) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    given["train/cats/turned.jpg"] = turned = picture(77, "JPEG", exif=exif)
    row = index(given).pictures.set_index("id").loc[id_of(turned)]
    assert (row["width"], row["height"]) == (4, 6)


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
    written = []
    for n in ("1", "5"):
        monkeypatch.setenv("HEADSTART_WORKERS", n)
        written.append(tables_of(index(given), tmp_path))
    assert written[0] == written[1]


def test_a_corrected_label_changes_no_picture_and_no_train_id(tmp_path: Path) -> None:
    files = {f"{part}/{i}.png": picture(10 * k + i)
             for k, part in enumerate(("train", "valid")) for i in range(4)}  # fmt: skip
    said, written = ["a", "b"] * 4, []
    for labels in (said, ["b", *said[1:]]):
        csv = {"l.csv": table(id=[path[:-4] for path in files], label=labels)}
        written.append(tables_of(index(files | csv, labels="l.csv"), tmp_path))
    before, after = written
    assert {name for name in TABLES if before[name] != after[name]} == {"labels"}


def test_a_corrected_label_of_test_changes_the_table_of_test_alone(
    given: Files, tmp_path: Path
) -> None:
    before = tables_of(index(given), tmp_path)
    csv = {path: path.split("/")[1] for path in given}
    as_table: Files = {f"{path[:-4]}.png": data for path, data in given.items()}
    for changed in ("cats", "dogs"):
        said = csv | {path: changed for path in csv if path.startswith("test/dogs")}
        l_csv = table(id=[path[:-4] for path in said], label=list(said.values()))
        after = tables_of(index(as_table | {"l.csv": l_csv}, labels="l.csv"), tmp_path)
        differ = {name for name in TABLES if before[name] != after[name]}
        assert differ == ({"test_labels"} if changed == "cats" else set())


def test_a_correction_in_a_drawn_test_changes_the_table_of_test_alone(
    one_level: Files, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    drawn: dict[str, Any] = {"split": "stratified", "near_duplicates": "off"}
    before = index(one_level, **drawn)
    of_test = set(before.labels.ids("test"))
    chosen = [path for path, data in one_level.items() if id_of(data) in of_test]
    tables, n_moved = tables_of(before, tmp_path), 0
    for path in chosen:
        right = "b" if path.startswith("a") else "a"
        after = tables_of(index(one_level, **drawn, corrections={path: right}), tmp_path)
        assert {name for name in TABLES if tables[name] != after[name]} == {"test_labels"}
        moved = {f"{right}/moved.png" if one == path else one: of for one, of in one_level.items()}
        n_moved += tables_of(index(moved, **drawn), tmp_path)["train_ids"] != tables["train_ids"]
    assert n_moved  # a file that moves to another folder, before the draw, is what this avoids
    figures(
        f"{len(chosen)} corrections in drawn test splits, 0 of them change train; of the same files "
        f"moved to another folder, {n_moved}"
    )


def test_a_file_of_test_that_moves_to_another_class_changes_its_path_and_the_table_of_test(
    given: Files, tmp_path: Path
) -> None:
    before = tables_of(index(given), tmp_path)
    given["test/cats/moved.png"] = given.pop("test/dogs/0.png")
    after = tables_of(index(given), tmp_path)
    assert {name for name in TABLES if before[name] != after[name]} == {"pictures", "test_labels"}
    rows = index(given).labels.table.set_index("id")
    assert rows.loc[id_of(given["test/cats/moved.png"]), "labels"] == ["cats"]


LABEL_OF_TEST = st.sampled_from(["", "a", "b", "c", "a b", "b c", "a b c"])


@hypothesis.given(st.lists(LABEL_OF_TEST, min_size=6, max_size=6), st.integers(0, 4), st.booleans())
@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.example(["c", "a b c", "a b c", "a b c", "a b c", "a b c"], 2, True)
def test_labels_of_test_shape_nothing_of_train_and_valid(
    of_test: list[str], n_max: int, grouped: bool
) -> None:
    """Whatever they are, also none, and also where pictures of each label are limited."""
    of_train = ["a b", "c", "a", "b c", "a", "b", "a c", "b"]
    files = PICTURES_OF_THREE_SPLITS

    def indexed(of_test: list[str]) -> Index:
        rows = {f"train/{i}": label for i, label in enumerate(of_train)}
        rows |= {f"valid/{i}": label for i, label in enumerate(reversed(of_train))}
        rows |= {f"test/{i}": label for i, label in enumerate(of_test) if label}
        groups = [f"{path[:5]}{int(path[-1]) // 2}" for path in rows]
        csv = table(id=list(rows), label=list(rows.values()), group=groups)
        return index(
            files | {"l.csv": csv}, labels="l.csv", task="multi_label", label_separator="space",
            group_column="group" if grouped else "", n_max_per_class=n_max,
        )  # fmt: skip

    def shown(found: Index) -> list[Any]:
        """What labels.parquet says, without the rows of test where a limit chooses among them."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "labels.parquet")
            write_labels(path, found.labels)
            rows = pq.read_table(path)
        kept = (
            rows.to_pylist() if not n_max else rows.filter(pc.field("split") != "test").to_pylist()
        )
        return [rows.schema.metadata, kept]

    before, after = indexed(["a"] * 6), indexed(of_test)
    assert shown(before) == shown(after)
    assert before.labels.ids("train") == after.labels.ids("train")


def test_real_pictures(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_root)
    source = read_images_source("sources/textile.yaml")
    assert isinstance(source, PackageImages)
    folder = locate(source)
    files = {path: (folder / path).read_bytes() for path in list(list_tree(folder).sizes)[::100]}
    counts = index(files, split="stratified").counts()
    assert counts["splits"]["train"]["per_class"] == {"global": 3, "local": 3, "nominal": 6}


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


def test_classes_that_a_split_lacks_are_named() -> None:
    files = {f"a/{i}.png": picture(i) for i in range(10)} | {"b/0.png": picture(50)}
    counts = index(files, split="stratified").counts()["splits"]
    assert counts["train"]["n_classes_absent"] == 0 and "classes_absent" not in counts["train"]
    for split in ("valid", "test"):
        assert (counts[split]["n_classes_absent"], counts[split]["classes_absent"]) == (1, "b")


def test_a_content_is_decoded_once_unless_it_has_a_problem(
    given: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    decoded: list[bytes] = []

    def decode(data: bytes) -> Image.Image:
        decoded.append(data)
        return decode_rgb(data)

    monkeypatch.setattr("headstart.pictures.facts.decode_rgb", decode)
    files = given | {
        "train/cats/half.png": (half := given["train/cats/0.png"][:-40]),
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
        assert decoded == [half]
        decoded.clear()
        index(moved | {"train/cats/new.png": new}, on_problem="set_aside", earlier=earlier)
    assert set(decoded) == {half, new} and len(decoded) == 2
    for other in (first, again):
        pd.testing.assert_frame_equal(other.pictures, without.pictures)
        pd.testing.assert_frame_equal(other.problems, without.problems)
    assert sorted(without.problems["problem"]) == ["damaged", "zero_bytes"]


def test_a_problem_of_this_machine_is_gone_with_its_cause(
    given: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def full(data: bytes) -> Image.Image:
        raise MemoryError

    def n_problems() -> int:
        with known_records(facts_key()) as earlier:
            return len(index(given, on_problem="set_aside", earlier=earlier).problems)

    with known_records(facts_key()) as earlier:  # as earlier versions kept it
        for data in given.values():
            earlier.add(id_of(data), Facts(problem="needs_package", detail="AVIF").record())
    with monkeypatch.context() as short:
        short.setattr("headstart.pictures.facts.decode_rgb", full)
        with pytest.raises(IndexImagesError, match="train has 0 pictures"):
            n_problems()
    assert n_problems() == 0
    monkeypatch.setattr("headstart.pictures.facts.decode_rgb", full)
    assert n_problems() == 0  # what was found then is kept
