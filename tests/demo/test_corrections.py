"""Corrected pictures lie in a form that `headstart init` reads."""

from pathlib import Path

import pytest

from headstart.commands.named_source import look_into, named_source
from headstart.demo.corrections import Corrections
from headstart.project.errors import HeadstartError
from tests.small_networks import picture

CLASSES = ("cat", "dog", "big eel")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two pictures, as the page uploads them: without a suffix."""
    for number in (0, 1):
        picture(number).save(tmp_path / f"{number}", "PNG")
    return [tmp_path / "0", tmp_path / "1"]


def test_one_label_a_picture_makes_a_folder_a_class(tmp_path: Path, files: list[Path]) -> None:
    kept = Corrections(tmp_path / "kept", CLASSES, "single_label")
    assert kept.add(files[0], "a" * 64, ["cat"]) == tmp_path / f"kept/cat/{'a' * 16}.png"
    last = kept.add(files[1], "b" * 64, ["big eel"])
    assert last.read_bytes() == files[1].read_bytes()
    _, found = look_into(named_source(tmp_path / "kept"))
    assert found.per_class == {"cat": 1, "big eel": 1}


def test_the_last_word_on_a_picture_counts(tmp_path: Path, files: list[Path]) -> None:
    kept = Corrections(tmp_path / "kept", CLASSES, "single_label")
    kept.add(files[0], "a" * 64, ["cat"])
    kept.add(files[0], "a" * 64, ["dog"])
    found = [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "kept").glob("*/*")]
    assert found == [f"kept/dog/{'a' * 16}.png"]


def test_several_labels_make_a_table(tmp_path: Path, files: list[Path]) -> None:
    kept = Corrections(tmp_path / "kept", CLASSES, "multi_label")
    kept.add(files[0], "a" * 64, [])
    kept.add(files[1], "b" * 64, ["dog", "big eel"])
    kept.add(files[0], "a" * 64, ["cat", "dog"])
    table = (tmp_path / "kept/labels.csv").read_text().splitlines()
    assert table == [
        "picture,cat,dog,big eel", f"{'a' * 16}.png,1,1,0", f"{'b' * 16}.png,0,1,1"
    ]  # fmt: skip
    _, found = look_into(named_source(tmp_path / "kept/labels.csv"))
    assert found.per_class == {"dog": 2, "cat": 1, "big eel": 1}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (["bat"], "'bat' is no class of the network; they are cat, dog, ../up"),
        ([], "0 classes are named; a picture has one here"),
        (["cat", "dog"], "2 classes are named"),
        (["../up"], "The class '../up' cannot name a folder"),
    ],
)
def test_labels_that_do_not_suit_keep_nothing(
    tmp_path: Path, files: list[Path], labels: list[str], sentence: str
) -> None:
    kept = Corrections(tmp_path / "kept", ("cat", "dog", "../up"), "single_label")
    with pytest.raises(HeadstartError, match=sentence):
        kept.add(files[0], "a" * 64, labels)
    assert not list(tmp_path.rglob("*.png"))
