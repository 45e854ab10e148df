"""Near duplicates in an index: no drawn split separates them, in given splits they are a problem."""

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageOps

from headstart.indexing.index import Index, IndexImagesError
from tests.indexed import Files, id_of, index, table
from tests.scenes import encoded, scene

WAYS: dict[str, Callable[[Image.Image], bytes]] = {
    "copy": lambda image: encoded(image, quality=40),
    "mirrored": lambda image: encoded(ImageOps.mirror(image), "PNG"),
    "cropped": lambda image: encoded(image.crop((20, 10, 300, 220))),
}


def copied(number: int) -> bytes:
    """A near duplicate of a scene, each in another way."""
    return list(WAYS.values())[number % 3](scene(number))


@pytest.fixture(scope="module")
def doubled() -> Files:
    """Two classes of 15 scenes each, and a near duplicate of each."""
    files = {}
    for k, name in enumerate("ab"):
        for i in range(15):
            number = 100 * k + i
            files[f"{name}/{i}.jpg"] = encoded(scene(number), quality=90)
            files[f"{name}/again{i}.jpg"] = copied(number)
    return files


@pytest.fixture(scope="module")
def leaking(doubled: Files) -> Files:
    """Train of the same classes; valid and test have pictures of their own, and three of train's."""
    files = {f"train/{path}": data for path, data in doubled.items() if "again" not in path}
    for k, (split, name) in enumerate((s, c) for s in ("valid", "test") for c in "ab"):
        files |= {f"{split}/{name}/own{i}.jpg": encoded(scene(1000 + 10 * k + i)) for i in range(3)}
    files["valid/a/x.jpg"] = copied(0)
    files["test/a/y.jpg"] = copied(1)
    files["test/b/z.jpg"] = copied(2)  # in train it is of class a
    return files


def split_of(found: Index, data: bytes) -> str:
    return str(found.labels.table.set_index("id").loc[id_of(data), "split"])


def n_parted(found: Index, files: Files) -> int:
    """Scenes that lie in two splits."""
    return sum(
        split_of(found, data) != split_of(found, files[path.replace("/", "/again")])
        for path, data in files.items()
        if "again" not in path
    )


@pytest.mark.parametrize("changed", [{}, {"n_folds": 4, "fold": 1}, {"seed": 5}])
def test_a_drawn_split_never_separates_them(
    changed: dict[str, Any], doubled: Files, figures: Callable[[str], None]
) -> None:
    found = index(doubled, split="stratified", **changed)
    assert n_parted(found, doubled) == 0
    assert found.counts()["n_near_duplicates"] == {
        "pairs": 30, "in_two_splits": 0, "set_aside": 0,
        "of_two_labels": 0, "mirrored": 10, "cropped": 10,
    }  # fmt: skip
    assert {"train", "valid"} <= set(found.labels.splits())
    parted = n_parted(index(doubled, split="stratified", near_duplicates="off", **changed), doubled)
    assert parted > 5
    figures(f"0 of 30 shots in two splits; without the search {parted}")


def test_they_join_given_groups(doubled: Files) -> None:
    files = {f"p{i % 6}/{path}": data for i, (path, data) in enumerate(sorted(doubled.items()))}
    labels = table(id=list(files), label=[path.split("/")[1] for path in files])
    with_table = {**files, "labels.csv": labels}
    values: dict[str, Any] = {
        "labels": "labels.csv", "id_suffix": "", "split": "stratified", "group_regex": r"^(p\d)/",
        "test_frac": 0.0,
    }  # fmt: skip
    apart = index(with_table, near_duplicates="report", **values)
    assert apart.counts()["n_groups"] == 6
    groups = index(with_table, **values).labels.table.groupby("group")["split"].nunique()
    assert len(groups) < 6 and groups.max() == 1


def test_leaks_into_given_splits_stop_and_name_the_pairs(leaking: Files) -> None:
    with pytest.raises(IndexImagesError) as error:
        index(leaking)
    said = str(error.value).splitlines()
    assert said[0] == "3 problems with the pictures (3 near_duplicate):"
    assert said[1:4] == [
        "  train/a/0.jpg: near_duplicate: a copy of valid/a/x.jpg in valid",
        "  train/a/1.jpg: near_duplicate: the same shot, mirrored, as test/a/y.jpg in test",
        "  train/a/2.jpg: near_duplicate: the same shot, cropped, as test/b/z.jpg in test, where it "
        "is b",
    ]
    assert said[-1].endswith("set index_images.near_duplicates to report.")


def test_the_side_of_train_is_set_aside(leaking: Files, figures: Callable[[str], None]) -> None:
    found = index(leaking, on_problem="set_aside")
    assert found.problems["path"].tolist() == [f"train/a/{i}.jpg" for i in range(3)]
    assert found.counts()["splits"]["train"]["n"] == 27
    assert found.near is not None
    assert sorted(found.near["set_aside"]) == [f"train/a/{i}.jpg" for i in range(3)]
    counted, labels = found.notes
    assert counted == (
        "Near duplicates: 3 pairs (1 mirrored, 1 cropped); 3 pictures are set aside, as a later split "
        "has the same shot. near_duplicates.csv lists them."
    )
    assert labels.startswith(
        "1 pair has different labels, one of which is probably wrong: test/b/z"
    )
    figures("3 of 3 leaks into given splits set aside, 1 of 1 under another class named")


def test_a_picture_that_is_set_aside_joins_no_groups(leaking: Files) -> None:
    """The other picture of its group would be in train, and the group of its shot is in valid."""
    found = index(leaking, on_problem="set_aside", group_regex=r"^(train/a|valid/a)/[03x]\.jpg")
    group = found.labels.table.set_index("id")["group"]
    assert group[id_of(leaking["train/a/3.jpg"])] == "train/a"
    assert group[id_of(leaking["valid/a/x.jpg"])] == "valid/a"
    assert found.labels.table.groupby("group")["split"].nunique().max() == 1


def test_valid_gives_way_to_test_and_a_chain_to_its_end(leaking: Files) -> None:
    files = {**leaking, "valid/b/w.jpg": encoded(scene(1), quality=70)}
    found = index(files, on_problem="set_aside")
    assert "valid/b/w.jpg" in set(found.problems["path"])
    assert split_of(found, files["test/a/y.jpg"]) == "test"


def test_they_may_be_only_listed_or_not_searched_for(leaking: Files) -> None:
    found = index(leaking, near_duplicates="report")
    assert found.problems.empty and found.counts()["n_near_duplicates"]["in_two_splits"] == 3
    assert "3 in two splits: scores on these are too high" in found.notes[0]
    off = index(leaking, near_duplicates="off")
    assert off.near is None and off.notes == () and "n_near_duplicates" not in off.counts()


def test_a_labelled_test_folder_beside_a_drawn_valid(leaking: Files) -> None:
    files = {p: data for p, data in leaking.items() if not p.startswith("valid/")}
    found = index(files, split="stratified", test_frac=0.0, on_problem="set_aside")
    assert found.problems["path"].tolist() == ["train/a/1.jpg", "train/a/2.jpg"]


def test_pictures_without_labels_score_nothing_and_are_only_listed(leaking: Files) -> None:
    files = {p: data for p, data in leaking.items() if not p.startswith("test/")}
    files = {p: data for p, data in files.items() if p != "valid/a/x.jpg"}
    found = index(files | {"test/new.jpg": copied(4)})
    assert found.problems.empty and found.near is not None
    [row] = found.near.itertuples()
    assert (row.first, row.second, row.second_labels) == ("test/new.jpg", "train/a/4.jpg", "a")


def test_the_bytes_of_a_split_without_near_duplicates_stay(doubled: Files) -> None:
    files = {path: data for path, data in doubled.items() if "again" not in path}
    with_search, without = (
        index(files, split="stratified", near_duplicates=value) for value in ("together", "off")
    )
    assert with_search.labels.table.equals(without.labels.table)
    assert with_search.near is not None and with_search.near.empty


@pytest.mark.parametrize("out", ["train/a/0.jpg", "valid/a/x.jpg"])
def test_a_picture_that_is_left_out_is_no_problem_and_its_pair_stays(
    out: str, leaking: Files
) -> None:
    files = {path: data for path, data in leaking.items() if not path.startswith("test/")}
    found = index(files, corrections={out: None})
    assert found.problems.empty and found.near is not None and found.near.empty
    left = found.labels.table["id"].tolist()
    assert sorted(left) == sorted(id_of(data) for path, data in files.items() if path != out)


def test_to_leave_out_what_is_set_aside_moves_no_other(leaking: Files) -> None:
    files = {path: data for path, data in leaking.items() if not path.startswith("valid/")}
    drawn: dict[str, Any] = {"split": "stratified", "test_frac": 0.0, "on_problem": "set_aside"}
    before = index(files, **drawn)
    after = index(files, **drawn, corrections={"train/a/1.jpg": None})
    assert before.labels.table.equals(after.labels.table)
    assert before.problems["path"].tolist() == ["train/a/1.jpg", "train/a/2.jpg"]
    assert after.problems["path"].tolist() == ["train/a/2.jpg"]
