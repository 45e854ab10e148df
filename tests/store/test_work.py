from pathlib import Path

import pytest

from headstart.store.work import kept, work_folder


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def test_work_is_done_once_a_key(root: Path) -> None:
    done: list[Path] = []

    def make(folder: Path) -> None:
        (folder / "file").write_text(str(len(done)))
        done.append(folder)

    one, again, two = (kept("kind", key, 1, make=make) for key in ("a", "a", "b"))
    assert one == again != two and len(done) == 2
    assert one.parent == root / ".headstart/work/kind"
    assert (one / "file").read_text() == "0"
    assert not list(root.rglob("*.partial"))


def test_work_that_breaks_off_leaves_nothing(root: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        kept("kind", "a", make=make)
    assert not work_folder("kind", "a").exists() and not list(root.rglob("half"))


def test_of_two_that_make_the_same_one_wins(root: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "file").write_text("slow")
        kept("kind", "a", make=lambda other: (other / "file").write_text("fast"))

    assert (kept("kind", "a", make=make) / "file").read_text() == "fast"
