"""Where MLflow keeps runs: the store that the user names, or mlflow.db in the project's folder."""

import os
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from headstart.tracking.address import shown
from headstart.tracking.mlflow_settings import quiet
from headstart.tracking.sqlite_file import (
    SQLITE_TIMEOUT_S,
    address,
    database_of,
    is_ready,
    locked,
    make,
    schema_trouble,
)

ARTIFACTS = "mlartifacts"  # the folder beside mlflow.db
# Where the database has absolute addresses of files in that folder.
ADDRESSES = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
# MLflow tries 10 times to open a database, with growing pauses of 101 s in all; 5 times take 2.6 s.
N_OPENS = 5


def project_root() -> Path:
    """The project's own folder, also inside the temporary copy of a queued experiment."""
    if root := os.environ.get("DVC_ROOT"):
        return Path(root).absolute()
    here = Path.cwd()
    return next(
        (folder for folder in [here, *here.parents] if (folder / "dvc.yaml").exists()), here
    )


def store_name() -> str:
    """The name of the store in messages: MLFLOW_TRACKING_URI without secrets, or mlflow.db's path."""
    return shown(os.environ.get("MLFLOW_TRACKING_URI", "")) or str(_own_database())


def tracking_uri() -> str:
    """The store's address for MLflow.

    Raises:
        ValueError: the project's folder cannot hold a store of MLflow's.
    """
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    file = _own_database()
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the path {str(file)!r} is not UTF-8, so MLflow would write to another folder: rename "
            "that folder, or set MLFLOW_TRACKING_URI"
        ) from None
    return address(file)


def import_mlflow() -> None:
    """Import what `open_store` needs, and open nothing yet."""
    os.environ.update(quiet(os.environ))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's use of its own dependencies is not ours
        import mlflow  # noqa: F401

        if not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
            from mlflow.store.db import utils
            from mlflow.store.tracking import sqlalchemy_store  # noqa: F401

            utils.MAX_RETRY_COUNT = N_OPENS


def open_store() -> tuple[Any, str]:
    """Return MLflow's client and the id of the experiment; make store and experiment if need be.

    Of a local store, only its making is locked, and nothing at all of one behind a network.

    Raises:
        Exception: whatever MLflow raises.
        ValueError: see `tracking_uri` and `sqlite_file.is_ready`.
    """
    import_mlflow()
    uri = tracking_uri()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if (database := database_of(uri)) is None:
            return _open(uri)
        with locked(database):
            if not is_ready(database):
                if not database.exists():
                    make(database)
                elif trouble := schema_trouble(database):  # MLflow would change it here and now,
                    raise ValueError(trouble)  # and break it if the deadline comes meanwhile
                return _open_file(uri, database)
        return _open_file(uri, database)


def _open_file(uri: str, database: Path) -> tuple[Any, str]:
    """As `_open`; a schema of another version is named with the file and what to do."""
    try:
        return _open(uri)
    except Exception as error:
        if trouble := schema_trouble(database):
            raise ValueError(trouble) from error
        raise


def _open(uri: str) -> tuple[Any, str]:
    """Return the client, and the id of the experiment that MLFLOW_EXPERIMENT_NAME names."""
    from mlflow import MlflowClient

    client: Any = MlflowClient(tracking_uri=uri)
    name = os.environ["MLFLOW_EXPERIMENT_NAME"]
    ours = (project_root() / ARTIFACTS).as_uri()
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # A server decides where its files go. Ours must not go to an experiment's temporary copy.
        place = None if uri.startswith("http") else ours
        try:
            return client, str(client.create_experiment(name, artifact_location=place))
        except Exception:  # another process may have made it meanwhile
            if (experiment := client.get_experiment_by_name(name)) is None:
                raise
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        _bring_home(_own_database(), experiment.artifact_location, ours)
    return client, str(experiment.experiment_id)


def _own_database() -> Path:
    return project_root() / "mlflow.db"


def _bring_home(database: Path, old: str, new: str) -> None:
    """Correct the addresses of the artifacts in the project's own store after the project has moved.

    MLflow stores absolute addresses and has no call that changes them. Only the address of a folder
    called `mlartifacts` changes, which is the name that `open_store` gives; a folder that the user
    chose stays. A run or model whose files are only in the old folder keeps its address: in this case
    the project was copied without its artifacts.

    Args:
        database: mlflow.db beside dvc.yaml.
        old: address of the folder that the experiment has.
        new: address of `mlartifacts` beside `database`.
    """
    folder = local_path(old)
    if old == new or folder is None or folder.name != ARTIFACTS:
        return
    if folder.resolve() == (database.parent / ARTIFACTS).resolve():
        return
    with closing(sqlite3.connect(database, timeout=SQLITE_TIMEOUT_S)) as connection, connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (new, old)
        )
        for table, column in ADDRESSES:
            below = f"SELECT DISTINCT {column} FROM {table} WHERE substr({column}, 1, ?) = ?"
            update = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"
            for (uri,) in connection.execute(below, (len(old) + 1, f"{old}/")).fetchall():
                moved = new + uri[len(old) :]
                if _exists(moved) or not _exists(uri):
                    connection.execute(update, (moved, uri))


def local_path(uri: str) -> Path | None:
    """The path of a local address, `file:///a%20b` or `/a b`; None for any other."""
    parts = urlsplit(uri)
    if parts.netloc or parts.scheme not in ("", "file"):
        return None
    return Path(url2pathname(parts.path) if parts.scheme else uri)


def _exists(uri: str) -> bool:
    path = local_path(uri)
    return path is not None and path.exists()
