import threading
from pathlib import Path

import pytest

from headstart.store.work import work_folder


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


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
