"""The file of a local store: its path, its making, and files that are no whole store."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from headstart.tracking import sqlite_file
from headstart.tracking.sqlite_file import address, database_of, is_ready, locked, make
from headstart.tracking.store import import_mlflow, open_store
from tests.tracked import all_runs, run_stage


@pytest.fixture(scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow takes seconds for each store: the tests copy one that was made here."""
    whole = tmp_path_factory.mktemp("whole") / "mlflow.db"
    plain = sqlite_file.make

    def copy(database: Path) -> None:
        if not whole.exists():
            plain(whole)
        new = database.with_name(f"{database.name}.new")
        shutil.copy(whole, new)
        new.replace(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headstart.tracking.store.make", copy)
        yield


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole store in a project of its own, which the test may break."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(empty_store, tmp_path))


def test_every_address_of_a_file_leads_to_one_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "link.db").symlink_to("x.db")
    (tmp_path / "linked").symlink_to(folder)
    file = folder.resolve() / "x.db"
    addresses = [
        "sqlite:///x.db",
        "sqlite:///../a b/x.db",
        f"sqlite:///{file}",
        f"sqlite:///{folder}/link.db",
        f"sqlite:///{tmp_path}/linked/link.db",
        f"sqlite+pysqlite:///{file}",
        "sqlite:///file:x.db?uri=true",
        f"sqlite:///file://{file}?uri=true",
        address(file),
        address(tmp_path / "linked/x.db"),
    ]
    assert {database_of(uri) for uri in addresses} == {file}
    for odd in ("a?b", "a%41", "a#b", "é"):
        assert database_of(address(tmp_path / odd)) == tmp_path.resolve() / odd


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "http://h",
        "postgresql://a:b@h/d",
        "file:///x",
        "databricks",
    ],
)
def test_what_is_no_file_has_no_path_and_no_lock(uri: str) -> None:
    assert database_of(uri) is None


def test_a_link_to_a_store_shares_its_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("x.db")
    linked = database_of(f"sqlite:///{tmp_path}/link.db")
    assert linked is not None
    with locked(linked), pytest.raises(Timeout):
        FileLock(f"{tmp_path.resolve()}/x.db.lock", timeout=0).acquire()


@pytest.mark.filterwarnings("ignore")  # MLflow's use of its own dependencies
def test_a_store_is_made_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_mlflow()
    database = tmp_path / "x.db"
    (tmp_path / "x.db.new").write_bytes(b"of a process that was killed")
    seen: list[bool] = []
    replace = Path.replace

    def look(new: Path, target: Path) -> Path:
        seen.append(database.exists())
        return replace(new, target)

    monkeypatch.setattr(Path, "replace", look)
    make(database)
    assert seen == [False]
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    assert not is_ready(database)  # its first experiment is still to come, with the lock too


@pytest.mark.usefixtures("tracked_project")
def test_a_store_that_is_whole_is_opened_without_its_lock(
    tracked_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is held for a look at the file alone, so no process waits for another's MLflow."""
    opened: list[Path] = []

    def look(uri: str, database: Path) -> tuple[object, str]:
        FileLock(f"{database}.lock", timeout=0).acquire().lock.release()
        opened.append(database)
        return None, "1"

    monkeypatch.setattr("headstart.tracking.store._open_file", look)
    open_store()
    assert opened == [tracked_project / "mlflow.db"]


def _run(file: Path, statements: str) -> object:
    with closing(sqlite3.connect(file)) as database, database:
        return database.executescript(statements)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[100:4096] = os.urandom(3996)
    file.write_bytes(content)


BROKEN: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "0 bytes": (lambda file: file.write_bytes(b""), "is empty (0 bytes): delete it"),
    "text": (
        lambda file: file.write_text("<html>not found"),
        "is no SQLite database: move it away",
    ),
    "no version": (lambda file: _run(file, "DELETE FROM alembic_version"), "move it away"),
    "no table of it": (lambda file: _run(file, "DROP TABLE alembic_version"), "move it away"),
    "another's": (
        lambda file: _run(Path(shutil.copy(os.devnull, file)), "CREATE TABLE songs (name)"),
        "or is not MLflow's: move it away",
    ),
    "newer": (
        lambda file: _run(file, "UPDATE alembic_version SET version_num = 'fedcba987654'"),
        "has the schema fedcba987654, which MLflow",
    ),
    "older": (
        lambda file: _run(file, "UPDATE alembic_version SET version_num = '451aebb31d03'"),
        "run `mlflow db upgrade 'sqlite:///",
    ),
    "older, with fewer tables": (
        lambda file: _run(
            file, "DROP TABLE webhooks; UPDATE alembic_version SET version_num = '451aebb31d03'"
        ),
        "run `mlflow db upgrade 'sqlite:///",
    ),
    "damaged": (_flip, "is damaged ("),
}


@pytest.mark.usefixtures("told_in_process", "_made_once")
@pytest.mark.parametrize("how", BROKEN)
def test_a_store_that_is_not_whole_is_named_with_what_to_do(
    how: str, store: Path, capfd: pytest.CaptureFixture[str], figures: Callable[[str], None]
) -> None:
    break_it, remedy = BROKEN[how]
    break_it(store)
    content = store.read_bytes()
    record = run_stage()
    assert (record.run_id, len(record.points)) == (None, 8)
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and f"{store.resolve()} " in err and remedy in err, err
    assert store.read_bytes() == content
    if not how.startswith(("newer", "older")):  # the remedy helps
        store.unlink()
        assert run_stage().run_id is not None
        assert len(all_runs()) == 1
    figures(f"{len(BROKEN)} kinds of broken stores, each named in one sentence with a remedy")
