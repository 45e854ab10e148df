"""DVC's queue of experiments, through the `dvc` that belongs to this Python."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psutil

from headstart.commands.queue_status import N_MISSES, QueueStatus, Watch
from headstart.project.errors import HeadstartError
from headstart.tracking.state import numbers

N_LOG_LINES = 30
"""How many of the last lines of a command's output a message shows."""
POLL_S = (2.0, 20.0)
"""Shortest and longest pause between two looks at the queue. N_MISSES pauses must be longer than a
worker takes to start on a busy machine."""

N_STARTS = 3
"""How often workers are started again before their absence is an error."""


class QueueError(HeadstartError):
    """DVC or git refuses a command, or the queue is not readable."""


class ExperimentQueue:
    """The queue of the project in one folder. Every method may raise QueueError."""

    def __init__(self, root: Path) -> None:
        """`root` holds dvc.yaml, in a git repository with a commit."""
        self.root = root

    def add(self, name: str, settings: Iterable[str]) -> None:
        """Queue the present workspace with `settings` (key=value) on top, under a new name."""
        options = [word for setting in settings for word in ("-S", setting)]
        self._dvc("exp", "run", "--queue", "-n", name, *options)

    def remove(self, names: Sequence[str]) -> None:
        """Remove from the queue experiments that have not started."""
        if names:
            self._dvc("queue", "remove", *names)

    def start(self, n_jobs: int) -> None:
        """Start workers until at least `n_jobs` run; they outlive this process."""
        self._dvc("queue", "start", "-j", str(n_jobs))

    def status(self) -> QueueStatus:
        """Look at the queue."""
        return QueueStatus(self._states(), self._n_workers())

    def _states(self) -> dict[str, str]:
        """Name -> state, of every experiment in the queue.

        Uses DVC's Python interface, as `dvc queue status` of DVC 3.67.1 prints only a table for people.
        `dvc exp show --json` has the states too, but only of experiments on the current commit, and it
        reads params, metrics and outs of all of them each time.
        """
        from dvc.repo import Repo

        try:
            with Repo(str(self.root)) as repo:
                tasks = repo.experiments.celery_queue.status()
        except Exception as error:  # a record that is half written, or gone, fails in many ways
            raise QueueError(f"DVC's queue in {self.root} is not readable: {error}") from error
        # an experiment that ends during the look is listed twice, its last state last
        return {task["name"]: task["status"] for task in tasks if task["name"]}

    def _n_workers(self) -> int:
        """How many of the worker processes in DVC's records are alive.

        DVC itself asks the workers, and on a busy machine a worker may not answer for minutes.
        """
        n_alive = 0
        for record in (self.root / ".dvc/tmp/exps/celery").glob("*.json"):
            try:
                process = psutil.Process(json.loads(record.read_text())["pid"])
                # checked by its command, because process ids are used again
                n_alive += "queue-worker" in process.cmdline()
            except (psutil.Error, OSError, ValueError, KeyError):  # gone, or half written
                continue
        return n_alive

    def wait(
        self, names: Sequence[str], n_jobs: int, tell: Callable[[Watch], None]
    ) -> dict[str, bool]:
        """Wait until all experiments have ended; return by name which of them succeeded.

        Args:
            names: of queued experiments.
            n_jobs: workers to start if all are gone while an experiment still waits.
            tell: called after each look.
        """
        watch, began, n_refused, n_starts = Watch(names), time.monotonic(), 0, 0
        while not watch.done:
            # the pause grows with the time waited so far, by a tenth of it
            time.sleep(min(POLL_S[0] + (time.monotonic() - began) / 10, POLL_S[1]))
            try:
                status, n_refused = self.status(), 0
            except QueueError:  # an experiment that ends meanwhile can make the look fail
                n_refused += 1
                if n_refused == N_MISSES:
                    raise
                continue
            n_starts = 0 if status.n_workers else n_starts
            if watch.look(status):
                if n_starts == N_STARTS:
                    raise QueueError(
                        "No worker of DVC's queue stays alive; their output is in "
                        f"{self.root}/.dvc/tmp/exps/celery. The experiments stay queued: "
                        "`dvc queue start` runs them."
                    )
                self.start(n_jobs)
                n_starts += 1
            tell(watch)
        return {name: watch.succeeded[name] for name in names}

    def log_tail(self, name: str) -> str:
        """The last lines that an experiment printed, or why there are none."""
        try:
            return _tail(self._dvc("queue", "logs", name))
        except QueueError as error:
            return str(error)

    def metrics(self, name: str, stages: Iterable[str]) -> dict[str, float]:
        """`<stage>.<dotted key>` -> number, from an ended experiment's metrics files of `stages`.

        A stage without a metrics file has no numbers here.
        """
        refs = self._git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or ""
        lines = [line for line in refs.splitlines() if line.endswith(f"/{name}")]
        if not lines:
            raise QueueError(f"{name} has ended, but git has no commit of it in refs/exps.")
        commit, found = lines[0].split()[0], dict[str, float]()
        for stage in stages:
            text = self._git("show", f"{commit}:./metrics/{stage}.json")
            found |= numbers({stage: json.loads(text)}) if text else {}
        return found

    def _git(self, *arguments: str) -> str | None:
        """The output of git; None if git fails."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else None

    def _dvc(self, *arguments: str) -> str:
        """The output of dvc. Ctrl-C waits for dvc, which must not die with the workspace stashed."""
        # The workers that dvc starts look for `dvc` on PATH, their stages for `python`.
        path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        with tempfile.TemporaryFile() as output:  # the workers would keep a pipe open
            process = subprocess.Popen(
                [sys.executable, "-m", "dvc", *arguments],
                cwd=self.root,
                env=os.environ | {"PATH": os.pathsep.join(path)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            interrupted = False
            while process.returncode is None:
                try:
                    process.wait()
                except KeyboardInterrupt:
                    interrupted = True
            output.seek(0)
            text = output.read().decode(errors="replace")
        if interrupted:
            raise KeyboardInterrupt
        if process.returncode:
            raise QueueError(f"`dvc {' '.join(arguments)}` failed:\n{_tail(text)}")
        return text


def _tail(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-N_LOG_LINES:])
