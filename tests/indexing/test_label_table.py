from typing import Any

import pytest

from headstart.indexing.label_table import LabelsById, labels_by_id
from headstart.indexing.table_file import read_table
from headstart.project.errors import HeadstartError


def labels(text: str, several: bool = False, **options: Any) -> LabelsById:
    options = {"label_column": "label"} | options
    return labels_by_id(read_table(text.encode(), "l.csv"), "id", several=several, **options)


def said(text: str, several: bool = False, **options: Any) -> dict[str, Any]:
    """The labels of each id that has one distinct row."""
    return {i: row for i, [row] in labels(text, several, **options).labels.items()}


def csv(*cells: str) -> str:
    return "id,label\n" + "".join(f'{i},"{cell}"\n' for i, cell in enumerate(cells))


def test_missing_labels_are_no_classes() -> None:
    cells = ("a", "b", "nan", "NaN", "<NA>", "", " ")
    assert said(csv(*cells)) == {"0": ("a",), "1": ("b",)} | {str(i): () for i in range(2, 7)}
    assert said(csv("a b", *cells), several=True)["3"] == ()


def test_rows_of_one_id_are_kept_apart() -> None:
    assert labels("id,label\n1,a\n1,b\n1,a\n").labels == {"1": {("a",), ("b",)}}


NAMES = [f"{a} {b} {c}" for a in ("left", "right", "both") for b in ("old", "new") for c in "xyz"]


def test_names_of_three_words_are_refused_as_tags_and_can_be_meant() -> None:
    nine = NAMES[:9]
    with pytest.raises(HeadstartError, match=r"the 9 different labels .* only 7 words.* to none\."):
        labels(csv(*nine))
    assert set(said(csv(*nine), separator="none").values()) == {(name,) for name in nine}


@pytest.mark.parametrize(("key", "sign"), [("pipe", "|"), ("semicolon", ";"), ("comma", ",")])
def test_tags_of_any_separator(key: str, sign: str) -> None:
    tags = [f"a{sign}b", f"b{sign}c", f"a{sign}c", "c", "a", "b", f"a{sign}b{sign}c"]
    with pytest.raises(HeadstartError, match=f"the 7 .* only 3 words.* separated by {key}"):
        labels(csv(*tags))
    found = labels(csv(*tags), several=True)
    assert found.labels["6"] == {("a", "b", "c")}
    [note] = found.notes
    assert f"were split at {sign!r} (index_images.label_separator is auto)" in note
    spaced = [tag.replace(sign, f"{sign} ") for tag in tags]
    with pytest.raises(HeadstartError, match=f"separated by space or by {key}.*did you mean {key}"):
        labels(csv(*spaced), several=True)
    for cells in (tags, spaced):
        found = labels(csv(*cells), several=True, separator=key)
        assert (found.labels["6"], found.notes) == ({("a", "b", "c")}, ())


def test_labels_with_spaces_between_other_signs() -> None:
    cells = ("No Finding", "Mass|Edema", "Mass|Hernia")
    with pytest.raises(HeadstartError, match="did you mean pipe"):
        labels(csv(*cells), several=True)
    assert said(csv(*cells), several=True, separator="pipe")["0"] == ("No Finding",)
    assert said(csv(*cells), several=True, separator="space")["1"] == ("Mass|Edema",)


def test_any_white_space_is_a_space() -> None:
    assert said(csv("a\tb", "b  c"), several=True) == {"0": ("a", "b"), "1": ("b", "c")}


def test_spaces_need_no_note() -> None:
    assert labels(csv("a b", "b  c", "c"), several=True) == LabelsById(
        {"0": {("a", "b")}, "1": {("b", "c")}, "2": {("c",)}}, ()
    )


def test_lists_of_json_are_taken_as_they_are() -> None:
    text = '{"id": 1, "label": ["b c", "a"]}\n{"id": 2, "label": []}\n{"id": 3, "label": ["a"]}\n'
    assert said(text, several=True) == {"1": ("a", "b c"), "2": (), "3": ("a",)}
    with pytest.raises(HeadstartError, match=r"column 'label' has 2 labels in line 1 of l\.csv"):
        labels(text)
    with pytest.raises(HeadstartError, match=r"column 'id' holds a list in line 1 of l\.csv"):
        labels('{"id": ["1"], "label": "a"}')


def test_the_note_of_the_reader_is_kept() -> None:
    table = read_table("id,label\n1,Bär\n2,Elch\n".encode("cp1252"), "l.csv")
    [note] = labels_by_id(table, "id", "label", several=False).notes
    assert "Windows-1252" in note


FLAGS = "id,MEL,NV,big cat\n1,1.0,0.0,0\n2,0,1,0\n3,False,true,0\n4,0,0,1\n"


def test_a_column_a_class() -> None:
    one = said(FLAGS, label_column="*")
    assert one == {"1": ("MEL",), "2": ("NV",), "3": ("NV",), "4": ("big cat",)}
    with_numbers = "".join(
        f"{i % 2},{line}" for i, line in enumerate(FLAGS.splitlines(keepends=True))
    )
    assert said(with_numbers.removeprefix("0"), label_column="*") == one
    many = said(FLAGS + "5,1,1,0\n6,0,0,0\n", several=True, label_column="*")
    assert (many["4"], many["5"], many["6"]) == (("big cat",), ("MEL", "NV"), ())
    text = FLAGS.replace("id,", "id,patient,").replace("\n1,", "\n1,p7,").replace("\n2,", "\n2,,")
    text = text.replace("\n3,", "\n3,p7,").replace("\n4,", "\n4,p8,")
    assert said(text, label_column="*", no_classes=["patient"]) == one


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (
            "5,1,1,0",
            r"line 6 of l\.csv has 2 classes with 1 \(MEL, NV\), but must have exactly one",
        ),
        ("5,0,0,0", r"line 6 of l\.csv has 0 classes with 1 \(none\)"),
        ("5,1,-1,0", r"column 'NV' holds '-1' in line 6 of l\.csv, but .* must hold 0 or 1"),
        ("5,1,0,", r"column 'big cat' holds '' in line 6 of l\.csv"),
    ],
)
def test_flags_that_say_nothing_safe(row: str, match: str) -> None:
    with pytest.raises(HeadstartError, match=match):
        labels(f"{FLAGS}{row}\n", label_column="*")


def test_the_other_task_is_told() -> None:
    with pytest.raises(HeadstartError, match=r"no row has more than one label.*label_separator to"):
        labels(csv("a", "b"), several=True)
    with pytest.raises(HeadstartError, match="no row has more than one label"):
        labels(FLAGS, several=True, label_column="*")
    with pytest.raises(HeadstartError, match=r"l\.csv has no column id, label \(it has a, b\)"):
        labels("a,b\n1,2\n")
