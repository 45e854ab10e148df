import pytest

from headstart.indexing.table_paths import Place, by_path, is_clear, places, require_all_tables
from headstart.project.errors import HeadstartError

PATHS = [f"train/{i}.jpg" for i in range(9)]


def said(*ids: str) -> dict[str, set[tuple[str, ...]]]:
    return {name: {(f"class of {name}",)} for name in ids}


def test_ids_with_folder_and_suffix() -> None:
    found = by_path(said("3", "x"), "l.csv", "train", ".jpg", PATHS)
    assert found == {"train/3.jpg": {("class of 3",)}, "train/x.jpg": {("class of x",)}}


def test_ids_of_one_path_keep_what_each_says() -> None:
    found = by_path(said("3.jpg", "./3.jpg"), "l.csv", "train", "", PATHS)
    assert found == {"train/3.jpg": {("class of 3.jpg",), ("class of ./3.jpg",)}}


def test_without_a_folder_ids_may_be_below_that_of_the_table() -> None:
    of_table = by_path(said("3.jpg", "4.jpg"), "train/metadata.csv", "", "", PATHS)
    of_images = by_path(said("train/3.jpg", "4.jpg"), "train/l.csv", "", "", PATHS)
    assert sorted(of_table) == ["train/3.jpg", "train/4.jpg"]
    assert sorted(of_images) == ["4.jpg", "train/3.jpg"]  # as many: the images folder


@pytest.mark.parametrize(
    ("ids", "folder", "suffix", "ends"),
    [
        (["3.jpg", "4.jpg"], "train", ".jpg", 'did you mean index_images.id_suffix: ""?'),
        (["3", "4"], "train", "", 'did you mean index_images.id_suffix: ".jpg"?'),
        (["3", "4"], "train", ".png", 'did you mean index_images.id_suffix: ".jpg"?'),
        (["3.jpg"], "", "", 'did you mean index_images.csv_folder: "train"?'),
        (["train/3.jpg"], "train", "", 'did you mean index_images.csv_folder: ""?'),
        (["3"], "", "", 'index_images.id_suffix: ".jpg" and index_images.csv_folder: "train"?'),
        (["train\\3.jpg"], "", "", "have \\ between folders: write / instead."),
        (
            ["/my/data/train/3.jpg", "/my/data/train/4.jpg"],
            "",
            "",
            "each id begins with '/my/data/': remove that from the table.",
        ),
        (["3", "u", "v", "w"], "", "", "correct index_images.id_column, id_suffix or csv_folder."),
    ],
)
def test_no_id_is_a_picture(ids: list[str], folder: str, suffix: str, ends: str) -> None:
    with pytest.raises(HeadstartError) as error:
        by_path(said(*ids), "l.csv", folder, suffix, PATHS)
    assert str(error.value).startswith(
        f"none of the {len(ids)} ids of l.csv is a picture: the first"
    )
    assert str(error.value).endswith(ends)


NFC, NFD = "B\u00e4r", "Ba\u0308r"  # the letter as one character, and with its accent as another


@pytest.mark.parametrize(("of_id", "of_file"), [(NFC, NFD), (NFD, NFC)])
def test_an_id_may_be_in_another_unicode_form_than_its_file(of_id: str, of_file: str) -> None:
    paths = [f"train/{of_file}/{of_file}.jpg", "train/3.jpg"]
    found = by_path(said(f"{of_id}/{of_id}", "x"), "l.csv", "train", ".jpg", paths)
    assert found == {
        paths[0]: {(f"class of {of_id}/{of_id}",)},
        "train/x.jpg": {("class of x",)},
    }
    assert places([f"{of_id}.jpg"], paths) == {Place(f"train/{of_file}", ""): 1}


def test_an_id_is_first_of_the_file_that_has_its_own_form() -> None:
    both = by_path(said(NFC, NFD), "l.csv", "", ".jpg", [f"{NFC}.jpg", f"{NFD}.jpg"])
    assert both == {f"{form}.jpg": {(f"class of {form}",)} for form in (NFC, NFD)}
    one = by_path(said(NFC, NFD), "l.csv", "", ".jpg", [f"{NFC}.jpg"])
    assert one == both  # the other id has no file
    paths = [f"{NFC}{NFD}.jpg", f"{NFD}{NFC}.jpg", "3.jpg"]
    assert by_path(said(NFC + NFC, "3"), "l.csv", "", ".jpg", paths).keys().isdisjoint(paths[:2])


def test_a_folder_without_pictures_is_another_problem() -> None:
    assert list(by_path(said("3"), "l.csv", "", "", [])) == ["3"]


def test_a_table_a_split_is_told() -> None:
    files = ["train/metadata.csv", "test/metadata.csv", "train/0.jpg", "test/deep/1.jpg"]
    with pytest.raises(
        HeadstartError,
        match=r"names train/metadata\.csv alone.* test/metadata\.csv beside them: set index_images"
        r'\.labels to "\*/metadata\.csv", which reads',
    ):
        require_all_tables(files[:1], files, ["test/deep/1.jpg"])
    require_all_tables(files[:2], files, ["test/deep/1.jpg"])
    require_all_tables(files[:1], files, [])
    require_all_tables(files[:1], files, ["other/1.jpg"])
    require_all_tables(files[:1], ["train/metadata.csv", "test/other.csv"], ["test/1.jpg"])
    deeper = ["metadata.csv", "test/metadata.csv"]
    with pytest.raises(HeadstartError, match="beside them: join these tables into one in the"):
        require_all_tables(deeper[:1], deeper, ["test/1.jpg"])


def test_pictures_in_any_folder() -> None:
    paths = ["a/1.jpg", "b/2.jpg", "b/c/3.jpg", f"b/{NFD}.jpg"]
    found = by_path(said("1", "c/3", NFC, "x"), "l.csv", "*", ".jpg", paths)
    assert sorted(found) == sorted(["a/1.jpg", "b/c/3.jpg", f"b/{NFD}.jpg", "x.jpg"])
    assert found["x.jpg"] == {("class of x",)}  # a row without a file
    assert is_clear(["1", "3"], ".jpg", paths)
    assert not is_clear(["1", "3"], ".jpg", [*paths, "d/3.jpg"])
    with pytest.raises(
        HeadstartError, match=r"the id '3' is the name of 2 pictures \(b/c/3.jpg, d/3"
    ):
        by_path(said("1", "3"), "l.csv", "*", ".jpg", [*paths, "d/3.jpg"])
    assert by_path(said("c/3"), "l.csv", "*", ".jpg", [*paths, "d/3.jpg"]).keys() == {"b/c/3.jpg"}
    with pytest.raises(HeadstartError, match=r"none of the 1 ids of l.csv is a picture"):
        by_path(said("x"), "l.csv", "*", ".jpg", paths)
