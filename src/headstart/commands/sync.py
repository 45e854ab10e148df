"""`headstart sync`: adds results to MLflow that no stage has computed here."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from headstart.commands.revision import Revision, below, digests
from headstart.project.errors import HeadstartError
from headstart.project.params import PARAMS_FILE
from headstart.steps.publish_run import publish_run
from headstart.tracking.data_set import digest
from headstart.tracking.records import RunRecord, parse_run
from headstart.tracking.state import Row

if TYPE_CHECKING:
    from headstart.tracking.served_model import ModelFile

STAGE = "publish-run"


@click.command()
@click.argument("rev", required=False)
def sync(rev: str | None) -> None:
    """Bring MLflow up to date with the workspace, or with REV (a commit, tag or branch).

    After `git checkout`, `dvc exp apply` or `dvc pull` no stage runs, so no stage logs to MLflow.
    This command adds the row of the results unless the store has it. It also adds what MLflow
    lacks from before: runs of stages, the rest of interrupted runs, files, and the model. Without
    REV the model becomes the current version of the registered one. Runs whose process was killed
    on this machine end as KILLED.
    """
    from headstart.tracking.gone import end_gone
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
            end_gone(tracker)
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
    """The state that publish-run told of last, at a revision or in the workspace (`rev` is None)."""

    def __init__(self, root: Path, rev: str | None) -> None:
        self._of, self._revision = Revision(root, rev), rev or "HEAD"
        self._stage = self._of.stage(STAGE)
        for path, read in digests([self._stage], "deps").items():
            if _digest(path, self._of.outs) not in (None, read):
                raise HeadstartError(
                    f"{path}{self._of.where} is newer than the last publish-run: run `dvc repro`."
                )
        self.files_in = self._of.files_in

    def row(self) -> Row:
        """Return the state's row; refuse metrics files that differ from dvc.lock."""
        metrics: dict[str, Any] = {}
        for path in self.paths("--metrics"):
            if (content := self._of.read(path)) is None:
                raise HeadstartError(
                    f"{path}{self._of.where} is missing or differs from dvc.lock: run `dvc repro`."
                )
            metrics[Path(path).stem] = json.loads(content)
        data = digest(self._of.md5[path] for path in self.paths("--index"))
        params = self._stage["params"][str(PARAMS_FILE)]
        return publish_run(params, metrics, data, self._revision)

    def records(self) -> list[RunRecord]:
        """Return the records of the stage runs that the workspace or DVC's cache has."""
        found = [(path, self._of.read(path)) for path in self.paths("--run")]
        return [parse_run(text.decode(), path) for path, text in found if text is not None]

    def paths(self, option: str) -> list[str]:
        """Return each file that publish-run is given by `option`, by name or in a folder."""
        return self._of.paths(STAGE, option)

    def models_in(self, folder: Path) -> Iterator["ModelFile"]:
        """Yield the checkpoint that publish-run is given, unless it is of a time without that."""
        from headstart.tracking.served_model import ModelFile

        for path in self.paths("--model"):
            yield ModelFile(self._of.md5[path], partial(self.files_in(folder), path))


def _digest(path: str, files: Mapping[str, str]) -> str | None:
    """Return DVC's digest of the file `path`, or of a folder of `files`; None if it has none of them.

    That of a folder is md5 of the JSON list of its files, with `.dir` behind it.
    """
    entries = [{"md5": files[f], "relpath": f.removeprefix(f"{path}/")} for f in below(path, files)]
    if not entries:
        return files.get(path)
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"
