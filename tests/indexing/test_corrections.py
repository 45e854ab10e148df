"""Corrected labels: they are those that the user gives, and no picture changes its split."""

from typing import Any

import pytest

from headstart.indexing.index import Index, IndexImagesError
from tests.indexed import Files, id_of, index, picture, table

DRAWN: dict[str, Any] = {"split": "stratified", "valid_frac": 0.2, "test_frac": 0.2}
MANY: dict[str, Any] = {"labels": "labels.csv", "csv_folder": "train", "task": "multi_label"}


def splits_of(made: Index) -> dict[str, str]:
    return dict(zip(made.labels.table["id"], made.labels.table["split"], strict=True))


def labels_of(made: Index) -> dict[str, list[str]]:
    return dict(zip(made.labels.table["id"], made.labels.table["labels"], strict=True))


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_corrected_label_moves_no_picture(one_level: Files, split: str) -> None:
    before = index(one_level, **DRAWN)
    wrong = next(path for path in one_level if splits_of(before)[id_of(one_level[path])] == split)
    right = "b" if wrong.startswith("a") else "a"
    after = index(one_level, **DRAWN, corrections={wrong: right})
    assert splits_of(after) == splits_of(before)
    differ = {i for i, labels in labels_of(after).items() if labels != labels_of(before)[i]}
    assert differ == {id_of(one_level[wrong])}
    assert labels_of(after)[id_of(one_level[wrong])] == [right]
    assert "index_images.corrections: 1 label corrected." in after.notes
    moved = {path: data for path, data in one_level.items() if path != wrong}
    moved[f"{right}/was in the wrong folder.png"] = one_level[wrong]
    if split == "test":  # what a correction avoids
        assert splits_of(index(moved, **DRAWN)) != splits_of(before)


def test_a_picture_that_is_left_out_moves_no_other(one_level: Files) -> None:
    before = splits_of(index(one_level, **DRAWN))
    after = index(one_level, **DRAWN, corrections={"a/3.png": None, "b/0.png": "a"})
    assert splits_of(after) == {
        i: of for i, of in before.items() if i != id_of(one_level["a/3.png"])
    }
    assert "index_images.corrections: 1 label corrected; 1 picture left out." in after.notes


NFC, NFD = "B\u00e4r", "Ba\u0308r"  # the letter as one character, and with its accent as another


@pytest.mark.parametrize(("said", "stored"), [(NFC, NFD), (NFD, NFC)])
def test_an_accent_may_be_written_in_another_form(one_level: Files, said: str, stored: str) -> None:
    files = {path.replace("a/", f"{stored}/"): data for path, data in one_level.items()}
    right = {f"{said}/3.png": "b", f"{said}/2.png": None, "b/0.png": said}
    made = labels_of(index(files, **DRAWN, corrections=right))
    assert made[id_of(files[f"{stored}/3.png"])] == ["b"]
    assert id_of(files[f"{stored}/2.png"]) not in made
    assert made[id_of(files["b/0.png"])] == [stored]


def test_what_is_right_already_is_not_counted(given: Files) -> None:
    made = index(given, corrections={"train/cats/0.png": "cats"})
    assert not [note for note in made.notes if "corrections" in note]


def test_several_labels() -> None:
    files = {f"train/{i}.png": picture(i) for i in range(20)}
    files["labels.csv"] = table(id=[str(i) for i in range(20)], label=["road mine", "sky"] * 10)
    made = index(
        files, **MANY, **DRAWN, corrections={"train/3.png": ["mine", "sky"], "train/4.png": []}
    )
    assert labels_of(made)[id_of(files["train/3.png"])] == ["mine", "sky"]
    assert labels_of(made)[id_of(files["train/4.png"])] == []


def test_a_picture_that_is_left_out_is_no_problem(given: Files) -> None:
    cat = "train/cats/0.png"
    broken, twice = "train/cats/broken.png", "train/dogs/cat.png"
    files = given | {broken: given[cat][:60], twice: given[cat], "train/stray.png": picture(60)}
    files |= {"train/cats/p1.png": picture(61), "valid/cats/p1.png": picture(62)}
    out = [broken, twice, "train/stray.png", "valid/cats/p1.png"]
    made = index(files, group_regex="p1", corrections=dict.fromkeys(out))
    assert made.problems.empty
    kept = given.keys() - {cat} | {"train/cats/p1.png"}
    assert set(made.labels.table["id"]) == {id_of(files[path]) for path in kept}


def test_a_picture_that_is_set_aside_may_be_corrected(given: Files) -> None:
    files = given | {"train/cats/broken.png": given["train/cats/0.png"][:60]}
    made = index(files, on_problem="set_aside", corrections={"train/cats/broken.png": "dogs"})
    assert list(made.problems["path"]) == ["train/cats/broken.png"]


@pytest.mark.parametrize(
    ("corrections", "sentence"),
    [
        (
            {"train/cats/00.png": "dogs"},
            "names train/cats/00.png, but no picture has this path: did you mean train/cats/0.png.",
        ),
        (
            {"train/cats/0.png": "dog"},
            "gives train/cats/0.png the label dog, but no picture has it: did you mean dogs.",
        ),
        ({"train/cats/0.png": "x"}, "no picture has it: the labels are cats, dogs."),
        ({"test/new.png": "cats"}, "names test/new.png, but it has no label to correct."),
        (
            {"train/cats/0.png": "dogs", "train/cats/copy.png": None},
            "says dogs for train/cats/0.png and null for train/cats/copy.png, but both have the same",
        ),
    ],
)  # fmt: skip
def test_a_correction_of_nothing_is_refused(
    given: Files, corrections: dict[str, str | None], sentence: str
) -> None:
    files = given | {"test/new.png": picture(77), "train/cats/copy.png": given["train/cats/0.png"]}
    with pytest.raises(IndexImagesError) as error:
        index(files, corrections=corrections)
    assert f"index_images.corrections {sentence}" in str(error.value) or sentence in str(
        error.value
    )


@pytest.mark.parametrize(
    ("task", "right", "sentence"),
    [
        ("single_label", ["cats"], "it must be one label, or null"),
        ("multi_label", "cats", "it must be a list of labels, or null"),
        ("single_label", 3, "corrections"),
    ],
)
def test_a_label_has_the_form_of_the_task(
    with_table: Files, task: str, right: Any, sentence: str
) -> None:
    settings = MANY | {"task": task}
    with pytest.raises(ValueError, match=sentence):
        index(with_table, **settings, split="stratified", corrections={"train/0.png": right})
