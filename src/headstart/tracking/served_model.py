"""The trained network as a model of MLflow: logged once, linked to its rows, registered by name.

Everything here runs after the row is complete. What MLflow refuses is made up for by the next
`publish-run` or `headstart sync`.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from headstart.exporting.as_onnx import as_onnx
from headstart.project.seals import check_seal
from headstart.tracking.model_folder import link_or_copy, write_folder
from headstart.tracking.names import NOTE
from headstart.tracking.runs import Runs, reason
from headstart.tracking.store import local_path

NAME: Final = "HEADSTART_MODEL_NAME"
"""The environment variable that names the registered model."""
CURRENT: Final = "current"
"""The alias of the version that was published last; MLflow reserves the word latest."""
MD5: Final = "headstart.md5"
"""The tag of a logged model and of its version: the checkpoint's digest, as in dvc.lock."""
MODEL: Final = "the model"
"""What messages call it."""
VERSIONS: Final = "mlflow.modelVersions"
"""MLflow's own tag of a logged model, by which its pages show the versions that it is."""

Served = Callable[[Path, Path], Path]


@dataclass(frozen=True)
class ModelFile:
    """The checkpoint of a state.

    Attributes:
        md5: digest of the file's content, as in dvc.lock.
        find: returns the file, or None where it does not exist.
        served: (file, empty folder) -> the file that the model holds: the same network as ONNX, or
            the checkpoint itself. It is called where the store does not have the model yet.
    """

    md5: str
    find: Callable[[], Path | None]
    served: Served = as_onnx

    @classmethod
    def of(cls, path: Path, served: Served = as_onnx) -> "ModelFile":
        """The file at `path`, which exists."""
        with path.open("rb") as file:
            return cls(hashlib.file_digest(file, "md5").hexdigest(), lambda: path, served)


def keep_model(runs: Runs, row_id: str, model: ModelFile, register: bool) -> None:
    """Link a complete row to its model, which is logged first unless the store has it.

    Args:
        runs: gets a line in `missing` if MLflow does not store the model; nothing is raised.
        row_id: of the row.
        model: its checkpoint.
        register: whether it also becomes a version of the registered model, unless it is one, and
            gets the alias `current`.
    """
    runs.begin(MODEL, 0)
    try:
        logged = _logged(runs, row_id, model)
        row = runs.client.get_run(row_id)
        linked = [output.model_id for output in row.outputs.model_outputs] if row.outputs else []
        if logged.model_id not in linked:
            from mlflow.entities import LoggedModelOutput

            runs.client.log_outputs(row_id, [LoggedModelOutput(logged.model_id, step=0)])
        if register:
            _register(runs.client, logged, model.md5, row.data.tags.get(NOTE))
    except Exception as error:
        runs.missing[MODEL] = reason(error)


def _logged(runs: Runs, row_id: str, model: ModelFile) -> Any:
    """The model with this digest in the experiment; create or complete it first."""
    client, experiment = runs.client, runs.experiment_id
    found = client.search_logged_models([experiment], f"tags.`{MD5}` = '{model.md5}'")
    logged = found[0] if found else None
    if logged and logged.status == "READY":
        return logged
    if (file := model.find()) is None:
        raise FileNotFoundError("the file does not exist; `dvc pull` may bring it")
    check_seal(file)
    if logged is None:
        tags = {MD5: model.md5}
        logged = client.create_logged_model(experiment, "model", source_run_id=row_id, tags=tags)
    with TemporaryDirectory() as folder:
        made, rest = Path(folder, "made"), Path(folder, "rest")
        made.mkdir()
        rest.mkdir()
        data = model.served(file, made)
        runs.begin(MODEL, data.stat().st_size)
        write_folder(rest, file, data, run_id=row_id, model_id=logged.model_id)
        client.log_model_artifacts(logged.model_id, str(rest))
        if (place := local_path(logged.artifact_location)) is None:
            client.log_model_artifact(logged.model_id, str(data))
        else:
            link_or_copy(data, place / data.name)
    return client.finalize_logged_model(logged.model_id, "READY")


def _register(client: Any, logged: Any, md5: str, note: str | None) -> None:
    """Let the alias `current` name the version of this model; create the version first.

    A new version is described by `note`, the description of its row.
    """
    from mlflow.exceptions import MlflowException

    name, tags = registered_name(), {MD5: md5}
    versions = list(client.search_model_versions(f"tags.`{MD5}` = '{md5}'"))
    version = next((found for found in versions if found.name == name), None)
    if version is None:
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = client.create_model_version(
            name, logged.artifact_location, logged.source_run_id,
            tags=tags, model_id=logged.model_id, description=note, await_creation_for=0,
        )  # fmt: skip
        versions.append(version)
    client.set_registered_model_alias(name, CURRENT, version.version)
    listed = json.dumps([{"name": each.name, "version": each.version} for each in versions])
    if logged.tags.get(VERSIONS) != listed:
        client.set_logged_model_tags(logged.model_id, {VERSIONS: listed})


def registered_name() -> str:
    """HEADSTART_MODEL_NAME, else the name of the experiment, without what a model's may not have."""
    return os.environ.get(NAME) or re.sub("[/:]", "_", os.environ["MLFLOW_EXPERIMENT_NAME"])
