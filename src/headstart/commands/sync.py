"""`headstart sync`: adds results to MLflow that no stage has computed here."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
from headstart.tracking.deadline import DEFAULT_S, NAME, deadline_s
from headstart.tracking.patience import Patience
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

    MLflow has HEADSTART_TRACKER_S seconds (30) for each run, row and file, and a second more for
    each MB of a file. A store that takes longer ends the command; the next one goes on there.
    """
    from headstart.tracking.gone import GONE, end_gone
    from headstart.tracking.runs import name_of, reason
    from headstart.tracking.served_model import MODEL, keep_model
    from headstart.tracking.store import import_mlflow, project_root, store_name
    from headstart.tracking.tracker import ROW, Tracker

    wait_s = deadline_s() or DEFAULT_S  # with 0, stages leave all to this command
    state = _State(project_root(), rev)
    row, records = state.row(), state.records()
    name = f"{rev or 'the workspace'}, state {row.state[:8]}"
    left = [*map(name_of, records), ROW, *[MODEL for _ in state.paths("--model")], GONE]
    with suppress(ImportError):
        import_mlflow()  # takes seconds, and is not MLflow's answer
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Patience(wait_s, left, partial(_give_up, folder)) as patience,
    ):
        try:
            tracker = Tracker(state.files_in(Path(folder)), patience.begin)
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


def _give_up(folder: str, thing: str, seconds: float, left: Sequence[str]) -> None:
    """Say what MLflow did not take in time, and end the process, as the call may hang for ever."""
    from headstart.tracking.store import store_name

    click.echo(
        f"Error: MLflow at {store_name()} has not taken {thing} in {seconds:.3g} s. Still to tell: "
        f"{', '.join(left)}. What it has taken stays; run `headstart sync` again to go on there, with "
        f"{NAME}={max(10 * seconds, 10):.0f} where MLflow is slow.",
        err=True,
    )
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(1)


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
