"""Which of nested folders are the classes, as far as their names tell."""

import pytest

from headstart.indexing.class_folders import Nested, are_parts, doubtful_classes, nested_folders
from headstart.indexing.layout import layout_of


def nested(*folders: str, n: int = 3) -> tuple[Nested | None, tuple[str, ...]]:
    paths = [f"{folder}/{i}.jpg" for folder in folders for i in range(n)]
    layout = layout_of(paths)
    return nested_folders(layout, paths), doubtful_classes(layout, paths)


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (["fold1/a", "fold2/a", "fold1/b"], "last"),
        (["P001/a", "P002/b"], "last"),
        (["subject-1/a", "Subject-2/b"], "last"),
        (["2023/a", "2024/b"], "last"),
        (
            ["train/all/a", "train/all/b", "valid/all/a"],
            "last",
        ),  # one folder is no choice of classes
        (["a/2024-05-01", "b/2024-05-01", "b/2024_06"], "first"),
        (["a/patient 1", "b/patient 2"], "first"),
        (["fold_1/patient 1", "fold_2/patient 2"], None),
        (["class_1/a", "class_2/b"], None),
        (["0/a", "1/b"], None),
        (["hospital_a/0", "hospital_b/1"], None),
        (["cat/indoor", "dog/indoor", "dog/outdoor"], None),
        (["animals/cat", "vehicles/car"], None),
        (["cat/a/images", "dog/b/images"], None),
    ],
)
def test_names_tell(folders: list[str], said: str | None) -> None:
    found, note = nested(*folders)
    assert found is not None and found.classes() == said
    assert bool(note) == (said != "first")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["part1", "part2"], True),
        (["HAM10000_images_part_1", "HAM10000_images_part_2"], True),
        (["images_001", "images_002"], True),
        (["2024-01-05", "2024-01-06"], True),
        (["patient_1", "patient_2"], False),  # who it is may be what is learned
        (["0", "1", "2"], False),
        (["part1", "cats"], False),
        (["partridge", "part"], False),
        ([], False),
    ],
)
def test_parts_of_a_collection(names: list[str], said: bool) -> None:
    assert are_parts(names) == said


def test_no_nested_folders() -> None:
    assert nested("a", "b") == (None, ())
    assert nested("a/images", "b/images") == (None, ())
    assert nested("a", "b", "b/more", "b/others") == (None, ())


def test_classes_that_seem_to_be_parts_are_named() -> None:
    found, [note] = nested("part1", "part2")
    assert found is None and note.startswith(
        "Classes are the folders part1, part2, which seem to be"
    )
    assert nested("part1")[1] == ()


def test_a_few_others_are_no_matter() -> None:
    paths = [f"{a}/{b}/{i}.jpg" for a in "ab" for b in "cd" for i in range(10)]
    found = nested_folders(layout_of(paths), [*paths, "a/stray.jpg", "stray.jpg"])
    assert found == Nested(("a", "b"), ("c", "d"))


def test_folders_that_are_not_used_are_named() -> None:
    _, [note] = nested("animals/cat", "vehicles/car")
    assert note.startswith(
        "Classes are the folders animals, vehicles; those below them (car, cat) are"
    )
    paths = [f"{a}/{b}/{i}.jpg" for a in "ab" for b in "cd" for i in range(3)]
    assert doubtful_classes(layout_of(paths, class_folder="last"), paths) == ()
