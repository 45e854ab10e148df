import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headstart.project import work
from headstart.project.work import code_digest, kept, work_folder


def test_a_key_has_one_folder_that_keeps_its_content(tmp_path: Path) -> None:
    with work_folder("kind", {"a": 1, "b": ["x"]}) as folder:
        (folder / "half").touch()
    with work_folder("kind", {"b": ["x"], "a": 1}) as again:
        assert again == folder and (again / "half").exists()
    assert tmp_path / ".headstart/work/kind" == folder.parent
    for kind, key in (("kind", {"a": 2, "b": ["x"]}), ("other", {"a": 1, "b": ["x"]})):
        with work_folder(kind, key) as other:
            assert other != folder and not list(other.iterdir())


def test_the_second_waits_for_the_first() -> None:
    said = []

    def second() -> None:
        with work_folder("kind", {}) as folder:
            said.append(f"second finds {[path.name for path in folder.iterdir()]}")

    with work_folder("kind", {}) as folder:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        (folder / "done").touch()
        said.append("first is done")
    thread.join()
    assert said == ["first is done", "second finds ['done']"]


def test_git_and_dvc_do_not_look_into_it(repo_root: Path) -> None:
    for file in (".gitignore", ".dvcignore"):
        assert "/.headstart/" in (repo_root / file).read_text().splitlines()


def test_work_is_done_once_a_key() -> None:
    done: list[Path] = []

    def make(folder: Path) -> None:
        (folder / "file").write_text(str(len(done)))
        done.append(folder)

    one, again, two = (kept("kind", {"of": of}, make) for of in ("a", "a", "b"))
    assert one == again != two and len(done) == 2
    assert (one / "file").read_text() == "0"


def test_work_that_breaks_off_is_begun_anew() -> None:
    def breaks(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        kept("kind", {}, breaks)
    whole = kept("kind", {}, lambda folder: (folder / "whole").touch())
    assert [path.name for path in whole.iterdir()] == ["whole"]
    assert not list(whole.parent.glob("*.partial"))


@pytest.fixture
def package(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Digests are of a copy of the package; returns what edits one of its files."""
    copy = tmp_path / "headstart"
    shutil.copytree(repo_root / "src/headstart", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(work, "_PACKAGE", copy)
    code_digest.cache_clear()

    def edit(file: str) -> None:
        with (copy / file).open("a") as opened:
            opened.write("# edited\n")
        code_digest.cache_clear()

    yield edit
    code_digest.cache_clear()


ROOMS = ("activations", "backbone", "views", "steps/resize.py")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("views/augment.py", True),
        ("backbone/fast/folded.py", True),
        ("steps/resize.py", True),
        ("steps/train_head.py", False),
        ("commands/cli.py", False),
        ("reporting/figures.py", False),
        ("activations/__pycache__/stored.pyc", False),
    ],
)
def test_only_an_edit_of_a_named_room_changes_its_digest(
    package: Callable[[str], None], tmp_path: Path, file: str, changes: bool
) -> None:
    (tmp_path / "headstart/activations/__pycache__").mkdir()
    before, whole = code_digest(*ROOMS), code_digest()
    package(file)
    assert (code_digest(*ROOMS) != before) == changes
    assert (code_digest() != whole) == file.endswith(".py")


@pytest.mark.usefixtures("package")
def test_a_digest_is_of_the_rooms_and_not_of_their_order() -> None:
    assert code_digest("views", "backbone") == code_digest("backbone", "views", "backbone")
    assert len({code_digest("views"), code_digest("backbone"), code_digest()}) == 3
    with pytest.raises(FileNotFoundError, match=r"veiws is no room"):
        code_digest("backbone", "veiws")
