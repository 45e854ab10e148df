"""The file of a local store: its path, its lock, its making, and what may be wrong with it.

MLflow itself makes a store step by step and without a lock, so two processes break a fresh one, and
one that is killed meanwhile leaves it half made.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

LOCK_TIMEOUT_S = 60.0
SQLITE_TIMEOUT_S = 20.0  # how long a statement waits for another process; MLflow's own default
MAGIC = b"SQLite format 3\0"


def address(database: Path) -> str:
    """Return MLflow's address of the file `database`."""
    from sqlalchemy import URL

    # SQLite itself decodes the path of a `file:` address, so a folder may be called `a?b`. The driver
    # is named because MLflow makes the parent folders of every address that begins with sqlite:///,
    # where it would take `a%3Fb` for the name of a folder.
    of_file = f"file:{quote(str(database))}"
    url = URL.create("sqlite+pysqlite", database=of_file, query={"uri": "true"})
    return url.render_as_string(hide_password=False)


def database_of(uri: str) -> Path | None:
    """Return the file of an address, without links; None for any store that is no file of SQLite."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    url = make_url(uri)
    name = url.database or ""
    if name.startswith("file:") and "uri" in url.query:
        name = unquote(name.removeprefix("file:").partition("?")[0])
        name = f"/{name.lstrip('/')}" if name.startswith("//") else name
    return Path(name).resolve() if name and ":memory:" not in name else None


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Keep out all other processes that open or make this database here.

    The lock lies beside the file, so all projects and links that lead to it share one.
    """
    from filelock import FileLock

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=LOCK_TIMEOUT_S):
        yield


def is_ready(database: Path) -> bool:
    """Whether the file has all that MLflow would make at its start; call this with its lock.

    Raises:
        ValueError: it is no database that MLflow can go on with; the message says what to do.
        sqlite3.OperationalError: it cannot be opened or read.
    """
    if not database.exists():
        return False
    if database.is_file():
        with database.open("rb") as file:
            start = file.read(len(MAGIC))
        if not start:
            raise ValueError(
                f"{database} is empty (0 bytes): delete it, unless another program is just making "
                "it, and the next stage makes a new one"
            )
        if start != MAGIC:
            raise ValueError(
                f"{database} is no SQLite database: move it away, or set MLFLOW_TRACKING_URI to "
                "another store"
            )
    try:
        tables, version, has_experiment = _content(database)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise ValueError(
            f"{database} is damaged ({error}): put back a copy of it, or move it away and the next "
            "stage makes a new one"
        ) from None
    if tables and not version:
        raise ValueError(
            f"{database} has tables but not the version of MLflow's schema, so it was only half "
            "made, or is not MLflow's: move it away, and the next stage makes a new one"
        )
    from mlflow.store.db.base_sql_model import Base

    return has_experiment and set(Base.metadata.tables) <= tables


def make(database: Path) -> None:
    """Make an empty store, whole or not at all; call this with its lock."""
    from mlflow.store.db import utils

    making: Any = utils
    new = database.with_name(f"{database.name}.new")
    for left in (new, new.with_name(f"{new.name}-journal")):  # of a process that was killed
        left.unlink(missing_ok=True)
    engine = making.create_sqlalchemy_engine(address(new))
    making._initialize_tables(engine)
    engine.dispose()
    new.replace(database)


def schema_trouble(database: Path) -> str | None:
    """Return what is wrong with the version of the schema; None for the right one or none at all."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils
    from mlflow.version import VERSION

    migrating: Any = utils
    scripts = ScriptDirectory.from_config(migrating._get_alembic_config(""))
    _, version, _ = _content(database)
    if not version or version in scripts.get_heads():
        return None
    if version in {script.revision for script in scripts.walk_revisions()}:
        return (
            f"{database} has the older schema {version}, not that of MLflow {VERSION}: copy the file, "
            f"then run `mlflow db upgrade 'sqlite:///{database}'`; if that fails, move it away"
        )
    return (
        f"{database} has the schema {version}, which MLflow {VERSION} does not know: install the "
        "newer MLflow that wrote it, or set MLFLOW_TRACKING_URI to another store"
    )


def _content(database: Path) -> tuple[set[str], str, bool]:
    """The names of the tables, the version of the schema ("" without), and whether a run has a home.

    The tables are those of MLflow; that of the version is not among them.
    """
    uri = f"file:{quote(str(database))}?mode=rw"
    with closing(sqlite3.connect(uri, SQLITE_TIMEOUT_S, uri=True)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in found}
        version, experiment = (
            connection.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()
            if table in tables
            else None
            for table, column in (("alembic_version", "version_num"), ("experiments", "name"))
        )
    return tables - {"alembic_version"}, version[0] if version else "", experiment is not None
