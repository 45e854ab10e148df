"""Which row stands for which file, and what a sample submission may ask for."""

import pytest

from headstart.reporting.submission import Row, parse_sample, rows_of_files, rows_of_sample


def test_whole_numbers_are_sorted_as_numbers_and_stay_text() -> None:
    rows = rows_of_files(["test/10.jpg", "test/9.jpg", "test/007.jpg", "test/7.jpg", "test/0.png"])
    assert [row.id for row in rows] == ["0", "007", "7", "9", "10"]
    assert rows[1] == Row("007", "test/007.jpg")


def test_other_ids_are_sorted_as_text() -> None:
    rows = rows_of_files(["test/test_10.jpg", "test/9.jpg", "test/test_9.jpg", "test/scan.2.jpg"])
    assert [row.id for row in rows] == ["9", "scan.2", "test_10", "test_9"]
    assert rows_of_files([]) == []


def test_ids_are_without_what_a_web_address_left() -> None:
    paths = ["t/7.jpg?w=300", "t/10.JPG", "t/scan.1", "t/scan.2"]  # the last two by their content
    assert [row.id for row in rows_of_files(paths)] == ["10", "7", "scan.1", "scan.2"]
    [row] = rows_of_sample(["7.png"], paths)
    assert row.path == "t/7.jpg?w=300"


def test_files_with_one_id_are_named() -> None:
    sentence = r"2 ids are of several .*'1 \(a/1.jpg and b/1.png\)', '2 \(a/2.jpg and b/2.jpg\)'"
    with pytest.raises(ValueError, match=sentence):
        rows_of_files(["b/2.jpg", "a/2.jpg", "a/1.jpg", "a/3.jpg", "b/1.png"])


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("test_0", "test/test_0.jpg"),
        ("test_0.jpg", "test/test_0.jpg"),
        ("test_0.TIF", "test/test_0.jpg"),  # the competition's other format
        ("01", "test/01.jpg"),
        ("1", "test/1.jpg"),
        ("scan.2", "test/scan.2.png"),
        ("twin.png", "b/twin.png"),
        ("x.jpg", "test/x.jpg"),  # and not x.jpg.png, whose id it is
    ],
)
def test_an_id_of_the_sample_finds_its_file(cell: str, path: str) -> None:
    paths = ["test_0.jpg", "01.jpg", "1.jpg", "scan.2.png", "scan.jpg", "x.jpg", "x.jpg.png"]
    every = [f"test/{name}" for name in paths] + ["b/twin.png", "a/twin.jpg"]
    assert rows_of_sample([cell], every) == [Row(cell, path)]


def test_the_order_is_that_of_the_sample() -> None:
    rows = rows_of_sample(["b", "a.jpg", "c"], ["t/a.jpg", "t/b.jpg", "t/c.jpg"])
    assert [row.id for row in rows] == ["b", "a.jpg", "c"]
    assert [row.path for row in rows] == ["t/b.jpg", "t/a.jpg", "t/c.jpg"]


def test_ids_without_a_prediction_are_counted_and_the_first_named() -> None:
    asked = ["here", *(f"gone_{i}" for i in range(9))]
    sentence = "9 of the 10 ids .*: 'gone_0', 'gone_1', .*'gone_4' and 4 more"
    with pytest.raises(ValueError, match=sentence):
        rows_of_sample(asked, ["test/here.jpg"])
    for cell in ("", "here.2", "0here", "test/here"):  # only a picture's suffix may be dropped
        with pytest.raises(ValueError, match=f"1 of the 1 ids .*: '{cell}'"):
            rows_of_sample([cell], ["test/here.jpg"])


def test_an_id_that_could_be_either_file_is_refused() -> None:
    paths = ["a/1.jpg", "b/1.jpg", "a/2.jpg"]
    assert rows_of_sample(["2"], paths) == [Row("2", "a/2.jpg")]
    for cell in ("1", "1.jpg", "1.png"):
        with pytest.raises(ValueError, match=rf"'{cell} \(a/1.jpg and b/1.jpg\)'"):
            rows_of_sample([cell], paths)


@pytest.mark.parametrize("cells", [["1", "2", "1"], ["1", "1.jpg"], ["1.jpg", "1.png"]])
def test_a_file_is_asked_for_once(cells: list[str]) -> None:
    with pytest.raises(ValueError, match=f"a/1.jpg by {cells[0]} and {cells[-1]}"):
        rows_of_sample(cells, ["a/1.jpg", "a/2.jpg"])


def test_a_sample_keeps_its_columns_and_its_cells() -> None:
    text = 'b,id,"a, c"\r\n.5,007,.5\r\n\r\n0,NA,0\r\n0,"x,y",0\r\n'
    sample = parse_sample(text, "id", ["a, c", "b"])
    assert sample.columns == ["b", "id", "a, c"]
    assert sample.ids == ["007", "NA", "x,y"]
    assert parse_sample("id,a\n", "id", ["a"]).ids == []


def test_columns_that_do_not_fit_are_named() -> None:
    sentence = "missing: 'cat', 'dog'; too many: 'Cat', 'fox'"
    with pytest.raises(ValueError, match=sentence):
        parse_sample("Cat,id,fox\n", "id", ["cat", "dog"])
    with pytest.raises(ValueError, match="missing: none; too many: 'cat'"):
        parse_sample("id,cat,cat\n", "id", ["cat"])
    with pytest.raises(ValueError, match=r"id_column is 'id', .* its columns: 'image', 'cat'\."):
        parse_sample("image,cat\n", "id", ["cat"])
    with pytest.raises(ValueError, match=r"id_column is 'id', .* its columns: none\."):
        parse_sample("", "id", ["cat"])
