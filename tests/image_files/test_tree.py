import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headstart.image_files.tree import DatasetParams, list_tree, n_free_bytes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for name in ("b/2.jpg", "a/1.jpg", "a/deep/3.png", "labels.csv", ".DS_Store", "a/Thumbs.db",
                 ".git/config", "__MACOSX/._1.jpg", "a/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
                 "a/._1.jpg", "$RECYCLE.BIN/2.jpg", "System Volume Information/x", "lost+found/3.jpg",
                 ".ipynb_checkpoints/1-checkpoint.jpg", "#recycle/4.jpg"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_the_tree_is_sorted_and_leaves_out_system_files(source: Path) -> None:
    tree = list_tree(source)
    assert list(tree.sizes) == ["a/1.jpg", "a/deep/3.png", "b/2.jpg", "labels.csv"]
    assert tree.counts() == {"n_files": 4, "n_bytes": 7 + 12 + 7 + 10, "n_hidden": 11}


def test_links_are_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "9.jpg").write_text("nine")
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "b" / "one.jpg").symlink_to(tmp_path / "elsewhere" / "9.jpg")
    assert {"linked/9.jpg", "b/one.jpg"} <= set(list_tree(source).sizes)


def test_broken_and_circular_links_are_named(source: Path) -> None:
    (source / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"gone\.jpg is a link to nowhere, which does not exist"):
        list_tree(source)
    (source / "gone.jpg").unlink()
    (source / "a" / "up").symlink_to(source)
    with pytest.raises(ValueError, match="is a link back to"):
        list_tree(source)


def test_what_goes_away_while_it_is_listed_is_left_out(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    @contextmanager
    def removed_after(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with listed(folder) as entries:
            found = list(entries)
        if folder == source:
            (source / "labels.csv").unlink()
            (source / "one.jpg").unlink()
            shutil.rmtree(source / "b")
        yield iter(found)

    (source / "one.jpg").symlink_to(source / "a" / "1.jpg")
    monkeypatch.setattr(os, "scandir", removed_after)
    assert list(list_tree(source).sizes) == ["a/1.jpg", "a/deep/3.png"]


def test_names_that_are_not_utf8_are_named(source: Path) -> None:
    try:
        (source / "bad\udcff.jpg").write_text("")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    with pytest.raises(ValueError, match=r"bad\\udcff"):
        list_tree(source)


def test_other_scripts_are_welcome(source: Path) -> None:
    (source / "ñandú 犬　🐕.jpg").write_text("")
    assert "ñandú 犬　🐕.jpg" in list_tree(source).sizes


def test_a_file_is_no_folder(source: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        list_tree(source / "labels.csv")


@pytest.mark.parametrize("copy", [True, False])
def test_whether_to_copy_is_a_param_like_others(copy: bool) -> None:
    """Though pydantic has an old method of that name."""
    params = DatasetParams.model_validate({"source": "/x", "copy": copy})
    assert params.copy is copy and params.model_dump() == {"source": "/x", "copy": copy}
    with pytest.raises(ValueError, match="copy"):
        DatasetParams.model_validate({"source": "/x"})


def test_free_room_is_asked_of_the_nearest_folder(tmp_path: Path) -> None:
    assert n_free_bytes(tmp_path / "not" / "yet") > 0
