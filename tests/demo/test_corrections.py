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
    kept.add(files[0], "c" * 64, ["cat"])
    kept.add(files[1], "d" * 64, ["big eel"])
    _, found = look_into(named_source(tmp_path / "kept"))
    assert found.per_class == {"cat": 2, "big eel": 2}


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
    kept.add(files[0], "c" * 64, ["cat", "big eel"])
    _, found = look_into(named_source(tmp_path / "kept/labels.csv"))
    assert found.per_class == {"dog": 2, "cat": 2, "big eel": 2}


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


def test_a_class_more_is_0_for_earlier_pictures_and_one_that_is_gone_is_refused(
    tmp_path: Path, files: list[Path]
) -> None:
    folder, table = tmp_path / "kept", tmp_path / "kept/labels.csv"
    before = Corrections(folder, CLASSES, "multi_label")
    before.add(files[0], "a" * 64, ["dog"])
    more = Corrections(folder, ("bat", "dog", "cat", "big eel"), "multi_label")
    more.add(files[1], "b" * 64, ["bat", "big eel"])
    assert table.read_text().splitlines() == [
        "picture,bat,dog,cat,big eel", f"{'a' * 16}.png,0,1,0,0", f"{'b' * 16}.png,1,0,0,1"
    ]  # fmt: skip
    of_more = table.read_bytes()
    with pytest.raises(
        HeadstartError,
        match=r"labels\.csv has the column 'bat', which is no class of the network; they are cat, dog, "
        r"big eel\. The picture is not kept: name another folder with --keep, or mend the table\.$",
    ):
        before.add(files[1], "c" * 64, ["cat"])
    assert table.read_bytes() == of_more and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"id,label\n1,cat dog\n", "has the columns id, label, but a table of kept pictures has"),
        (b"picture;cat;dog\n1.png;1;0\n", "has the columns picture;cat;dog, but"),
        (b"picture\n1.png\n", "has the columns picture, but"),
        (b"picture,cat,cat\n", "has the column 'cat' twice"),
        (b"picture,cat,dog\n1.png,1,0\n\n2.png,1\n", "has 2 cells in line 4, but 3 columns"),
        ("picture,cat\nmär.png,1\n".encode("cp1252"), r"is not UTF-8 \(byte 0xe4\)"),
        (b'picture,cat\n"1.png,1\n', r"is no CSV \("),
    ],
)
def test_a_table_of_another_kind_is_refused_before_anything_is_copied(
    tmp_path: Path, files: list[Path], content: bytes, sentence: str
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "labels.csv").write_bytes(content)
    with pytest.raises(HeadstartError, match=rf"mine/labels\.csv {sentence}"):
        Corrections(folder, CLASSES, "multi_label").add(files[0], "a" * 64, ["cat"])
    assert [path.name for path in folder.iterdir()] == ["labels.csv"]
    assert (folder / "labels.csv").read_bytes() == content


def test_a_table_that_a_person_edited_keeps_its_rows(tmp_path: Path, files: list[Path]) -> None:
    """As Excel saves it: with a mark at the beginning, and blank lines."""
    table = tmp_path / "labels.csv"
    table.write_bytes(b"\xef\xbb\xbfpicture,cat,dog,big eel\r\n\r\n1.png,1,0,1\r\n , \r\n")
    Corrections(tmp_path, CLASSES, "multi_label").add(files[0], "a" * 64, ["dog"])
    assert table.read_text("utf-8").splitlines() == [
        "picture,cat,dog,big eel", "1.png,1,0,1", f"{'a' * 16}.png,0,1,0"
    ]  # fmt: skip
