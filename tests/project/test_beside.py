from pathlib import Path

import pytest

from headstart.project.beside import written_beside


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/file.txt"
    for text in ("one", "two"):
        with written_beside(path) as partial:
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == text and names(path.parent) == ["file.txt"]


def test_a_folder_is_replaced_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for name in ("one", "two"):
        with written_beside(path) as partial:
            partial.mkdir()
            (partial / name).touch()
        assert names(path) == [name] and names(tmp_path) == ["folder"]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("is_folder", [False, True])
def test_an_error_leaves_what_was_there_and_nothing_partial(
    tmp_path: Path, is_folder: bool, shared: bool
) -> None:
    path = tmp_path / "path"
    path.write_text("whole")
    with pytest.raises(KeyboardInterrupt), written_beside(path, shared) as partial:
        if is_folder:
            partial.mkdir()
            (partial / "half").touch()
        else:
            partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "whole" and names(tmp_path) == ["path"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_a_killed_process_left_is_not_gone_on_with(tmp_path: Path, is_folder: bool) -> None:
    left = tmp_path / "path.partial"
    if is_folder:
        left.mkdir()
        (left / "half").touch()
    else:
        left.write_text("half")
    with written_beside(tmp_path / "path") as partial:
        assert partial == left and not partial.exists()
        partial.write_text("whole")
    assert names(tmp_path) == ["path"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path/mine").touch()
    with pytest.raises(IsADirectoryError), written_beside(tmp_path / "path") as partial:
        partial.touch()
    assert names(tmp_path / "path") == ["mine"] and names(tmp_path) == ["path"]


def test_nobody_else_writes_beside(repo_root: Path) -> None:
    own = ("beside.py", "states.py")  # the name of a state has the digest of what was written
    for folder in ("src", "stages", "bench"):
        for file in (repo_root / folder).rglob("*.py"):
            assert ".partial" not in file.read_text() or file.name in own, file
