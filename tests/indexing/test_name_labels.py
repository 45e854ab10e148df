import pytest

from headstart.indexing.labelling import Meaning, Meanings
from headstart.indexing.layout import layout_of
from headstart.indexing.name_labels import checked_regex, from_names


def named(paths: list[str], regex: str, given: bool = False) -> Meanings:
    return from_names(paths, regex, layout_of(paths, given), given)


@pytest.mark.parametrize(
    ("regex", "name", "label"),
    [
        (r"^(cat|dog)\.", "train/cat.0.jpg", "cat"),
        (r"^(.+?)[._-]?\d+\.", "great_pyrenees_12.jpg", "great_pyrenees"),
        (r"^(.+)_\d+\.jpg$", "a/b_1/Abyssinian_12.jpg", "Abyssinian"),
        (r"_([^_]+)\.\w+$", "x_1_ red .png", "red"),
    ],
)
def test_the_first_group_is_the_class(regex: str, name: str, label: str) -> None:
    assert named([name], regex) == ({name: Meaning((label,), None)}, [])


def test_names_that_do_not_match() -> None:
    names = ["readme.png", "test/1.jpg", "train/_1.jpg", "train/dog_2.jpg"]
    found, problems = named(names, r"^(cat)?_\d")
    assert found == {"test/1.jpg": Meaning(None, "test")}
    assert {(p.path, p.problem) for p in problems} == {
        ("readme.png", "no_part"), ("train/_1.jpg", "no_class"), ("train/dog_2.jpg", "no_class")
    }  # fmt: skip


def test_given_splits() -> None:
    names = [f"{part}/cat.1.jpg" for part in ("train", "val", "old")]
    found, problems = named([*names, "Test/dog.2.jpg", "Test/3.jpg"], r"^(\w+)\.\d", given=True)
    assert problems == []  # old is left aside
    assert found == {
        "train/cat.1.jpg": Meaning(("cat",), "train"),
        "val/cat.1.jpg": Meaning(("cat",), "valid"),
        "Test/dog.2.jpg": Meaning(("dog",), "test"),
        "Test/3.jpg": Meaning(None, "test"),
    }


def test_kaggles_dogs_vs_cats_as_it_comes() -> None:
    names = ["dogs-vs-cats/train/cat.0.jpg", "dogs-vs-cats/train/dog.0.jpg"]
    found, problems = named([*names, "dogs-vs-cats/test1/1.jpg"], r"^(cat|dog)\.")
    assert (list(found.values()), problems) == (
        [Meaning(("cat",), None), Meaning(("dog",), None), Meaning(None, "test")], []
    )  # fmt: skip


def test_regexes_are_checked() -> None:
    assert checked_regex("") == "" and checked_regex("^(a)") == "^(a)"
    with pytest.raises(ValueError, match=r"no regular expression \(missing \)"):
        checked_regex("(a")
    with pytest.raises(ValueError, match="no group in round brackets"):
        checked_regex("^a")
