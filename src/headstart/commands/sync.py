"""`headstart sync`: adds results to MLflow that no stage has computed here."""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from headstart.project.params import PARAMS_FILE
from headstart.steps.publish_run import publish_run
from headstart.tracking.records import RunRecord, parse_run
from headstart.tracking.state import Row

if TYPE_CHECKING:
    from headstart.tracking.served_model import ModelFile


@click.command()
@click.argument("rev", required=False)
def sync(rev: str | None) -> None:
    """Bring MLflow up to date with the workspace, or with REV (a commit, tag or branch).

    After `git checkout`, `dvc exp apply` or `dvc pull` no stage runs, so no stage logs to MLflow.
    This command adds the row of the results unless the store has it. It also adds what MLflow
    lacks from before: runs of stages, the rest of interrupted runs, files, and the model. Without
    REV the model becomes the current version of the registered one.
    """
    from headstart.tracking.runs import reason
    from headstart.tracking.served_model import keep_model
    from headstart.tracking.store import project_root, store_name
    from headstart.tracking.tracker import Tracker

    state = _State(project_root(), rev)
    row, records = state.row(), state.records()
    name = f"{rev or 'the workspace'}, state {row.state[:8]}"
    with TemporaryDirectory() as folder:
        try:
            tracker = Tracker(state.files_in(Path(folder)))
            run_id, new = tracker.ensure_row(row, records, state.paths("--report"))
            for model in state.models_in(Path(folder)):
                keep_model(tracker, run_id, model, register=rev is None)
        except Exception as error:
            raise click.ClickException(
                f"Logging to MLflow at {store_name()} failed: {reason(error)}."
            ) from None
    tracker.say_missing()
    if new:
        click.echo(f"Added the row {run_id} with {len(records)} stage run(s): {name}.")
    else:
        click.echo(f"MLflow has the row already: {name}.")


class _State:
    """The content of dvc.lock at a revision, or in the workspace if `rev` is None."""

    def __init__(self, root: Path, rev: str | None) -> None:
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException
        from ruamel.yaml import YAML

        self._where = f" at {rev}" if rev else ""
        try:
            self._files = DVCFileSystem(str(root), rev=rev)
            lock = YAML(typ="safe", pure=True).load(self._files.read_text("dvc.lock"))
            self._stage = lock["stages"]["publish-run"]
        except (FileNotFoundError, KeyError):
            raise click.ClickException(
                f"dvc.lock{self._where} is missing or has no stage publish-run: run `dvc repro`, or "
                "name another revision."
            ) from None
        except DvcException as error:
            raise click.ClickException(str(error)) from None
        stages = lock["stages"].values()
        outs = _digests(stages, "outs")
        self._digests = _digests(stages, "deps") | outs
        for path, read in _digests([self._stage], "deps").items():
            if _digest(path, outs) not in (None, read):
                raise click.ClickException(
                    f"{path}{self._where} is newer than the last publish-run: run `dvc repro`."
                )

    def row(self) -> Row:
        """Return the state's row; refuse metrics files that differ from dvc.lock."""
        metrics: dict[str, Any] = {}
        for path in self.paths("--metrics"):
            if (content := self._read(path)) is None:
                raise click.ClickException(
                    f"{path}{self._where} is missing or differs from dvc.lock: run `dvc repro`."
                )
            metrics[Path(path).stem] = json.loads(content)
        return publish_run(self._stage["params"][str(PARAMS_FILE)], metrics)

    def records(self) -> list[RunRecord]:
        """Return the records of the stage runs that the workspace or DVC's cache has."""
        found = [(path, self._read(path)) for path in self.paths("--run")]
        return [parse_run(text.decode(), path) for path, text in found if text is not None]

    def paths(self, option: str) -> list[str]:
        """Return each file that publish-run is given by `option`, by name or in a folder."""
        words = shlex.split(self._stage["cmd"])
        given = [path for word, path in pairwise(words) if word == option]
        return [file for path in given for file in _below(path, self._digests) or [path]]

    def files_in(self, folder: Path) -> Callable[[str], Path | None]:
        """Return a function: path -> a copy of the state's file in `folder`, or None without one."""

        def find(path: str) -> Path | None:
            if (content := self._read(path)) is None:
                return None
            copy = folder / Path(path).name
            copy.write_bytes(content)
            return copy

        return find

    def models_in(self, folder: Path) -> Iterator["ModelFile"]:
        """Yield the checkpoint that publish-run is given, unless it is of a time without that."""
        from headstart.tracking.served_model import ModelFile

        for path in self.paths("--model"):
            yield ModelFile(self._digests[path], partial(self.files_in(folder), path))

    def _read(self, path: str) -> bytes | None:
        """The content of a file as in dvc.lock; None if workspace and DVC's cache lack it."""
        from dvc.exceptions import DvcException

        try:
            content: bytes = self._files.read_bytes(path)
        except (OSError, DvcException):
            return None
        known = self._digests.get(path)
        return content if known in (None, hashlib.md5(content).hexdigest()) else None


def _digests(stages: Iterable[Mapping[str, Any]], kind: str) -> dict[str, str]:
    """Return path -> digest of every file and folder among the `kind` ("deps", "outs") of `stages`."""
    entries = [entry for stage in stages for entry in stage.get(kind, [])]
    return {entry["path"]: entry["md5"] for entry in entries if "md5" in entry}


def _below(folder: str, paths: Iterable[str]) -> list[str]:
    return sorted(path for path in paths if path.startswith(f"{folder}/"))


def _digest(path: str, files: Mapping[str, str]) -> str | None:
    """Return DVC's digest of the file `path`, or of a folder of `files`; None if it has none of them.

    That of a folder is md5 of the JSON list of its files, with `.dir` behind it.
    """
    entries = [
        {"md5": files[f], "relpath": f.removeprefix(f"{path}/")} for f in _below(path, files)
    ]
    if not entries:
        return files.get(path)
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"
