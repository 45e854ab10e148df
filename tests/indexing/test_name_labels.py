import pytest

from headstart.indexing.labelling import Meaning
from headstart.indexing.name_labels import checked_regex, from_names


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
    assert from_names([name], regex, given=False) == ({name: Meaning((label,), None)}, [])


def test_names_that_do_not_match() -> None:
    names = ["readme.png", "test/1.jpg", "train/_1.jpg", "train/dog_2.jpg"]
    found, problems = from_names(names, r"^(cat)?_\d", given=False)
    assert found == {"test/1.jpg": Meaning(None, "test")}
    assert {(p.path, p.problem) for p in problems} == {
        (name, "no_class") for name in ("readme.png", "train/_1.jpg", "train/dog_2.jpg")
    }


def test_given_splits() -> None:
    names = [f"{part}/{name}" for part in ("train", "valid", "old") for name in ("cat.1.jpg",)]
    found, [problem] = from_names(
        [*names, "test/dog.2.jpg", "test/3.jpg"], r"^(\w+)\.\d", given=True
    )
    assert found == {
        "train/cat.1.jpg": Meaning(("cat",), "train"),
        "valid/cat.1.jpg": Meaning(("cat",), "valid"),
        "test/dog.2.jpg": Meaning(("dog",), "test"),
        "test/3.jpg": Meaning(None, "test"),
    }
    assert problem[:2] == ("old/cat.1.jpg", "no_part")


def test_regexes_are_checked() -> None:
    assert checked_regex("") == "" and checked_regex("^(a)") == "^(a)"
    with pytest.raises(ValueError, match=r"no regular expression \(missing \)"):
        checked_regex("(a")
    with pytest.raises(ValueError, match="no group in round brackets"):
        checked_regex("^a")
