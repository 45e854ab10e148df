"""A team's tracking server: clones that tell it at once, and go on after it was killed."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from mlflow import MlflowClient

from tests.mlflow_server import Server
from tests.server_content import check_all_is_told

ROOT = Path(__file__).parents[2]
STOP = "stop"
CLONE = """
import json, sys, time
from pathlib import Path
from headstart.tracking import teller
from headstart.tracking.store import import_mlflow
from headstart.tracking.tracker import Tracker, publish
from tests.tracked import TellerInProcess, row, run_stage
teller.Teller = TellerInProcess
import_mlflow()
states = []
for i in range(int(sys.argv[1])):
    if Path("stop").exists():
        break
    records = [run_stage(Path(f"{i}-{stage}.json"), stage) for stage in ("train-head", "tta")]
    state = row(**{Path.cwd().name: i})
    states.append((state, records, ["curve.csv"]))
    told = publish(state, records, [Path("curve.csv")]) is not None
    print(json.dumps(told), flush=True)
    time.sleep(0 if told else 1)
print(json.dumps("done"), flush=True)
sys.stdin.readline()
new = [Tracker().ensure_row(*state)[1] for state in states]  # as `headstart sync`
records = {r.key: len(r.points) for _, records, _ in states for r in records}
print(json.dumps({"states": [row.state for row, _, _ in states], "records": records, "new": new}))
"""


class Clone:
    """A project, one of a team's, that tells the server of one state after the other."""

    def __init__(self, folder: Path, address: str, n_rows: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._errors = folder / "stderr"  # a pipe that nobody reads would fill up
        with self._errors.open("w") as errors:
            self.process = self._start(address, n_rows, errors)

    def _start(self, address: str, n_rows: int, errors: IO[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", CLONE, str(n_rows)], cwd=self._folder, text=True,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
            | {"DVC_ROOT": str(self._folder), "MLFLOW_TRACKING_URI": address},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip

    def next(self) -> Any:
        """Whether the server took the next row; "done" after the last."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def stop(self) -> list[bool]:
        """Whether the server took each of the rows up to the last, which is the present one."""
        (self._folder / STOP).touch()
        return list(iter(self.next, "done"))

    def sync(self) -> dict[str, Any]:
        """Tell what the server lacks; return what the clone has told, all in all."""
        out, _ = self.process.communicate("\n")
        err = self._errors.read_text()
        assert err.count("\n") == err.count("un `headstart sync`"), err  # one sentence a failure
        told: dict[str, Any] = json.loads(out)
        return told


def lose_nothing(
    folder: Path, n_rows: int, disturb: Callable[[Server, list[Clone]], list[bool]]
) -> str:
    """Let two clones tell one server, `disturb` it, sync both, and check all that it has."""
    with Server(folder, "sqlite:///server.db", "kept") as server:
        clones = [Clone(folder / name, server.address, n_rows) for name in ("ada", "bob")]
        try:
            taken = disturb(server, clones)
            told = [each.sync() for each in clones]
        finally:
            for each in clones:
                each.process.kill()
                each.process.communicate()
        states = Counter(state for one in told for state in one["states"])
        records = {key: n for one in told for key, n in one["records"].items()}
        check_all_is_told(MlflowClient(server.address), states, records)
    n_late = sum(sum(one["new"]) for one in told)
    assert n_late == taken.count(False) > 0 and taken.count(True)
    return (
        f"2 clones, {len(records)} stage runs, {states.total()} rows, {n_late} of them told later"
    )


def test_two_clones_lose_nothing_to_a_server_that_is_killed(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    def kill_once(server: Server, clones: list[Clone]) -> list[bool]:
        taken = [each.next() for each in clones]
        server.kill()  # each clone is in the middle of its next row
        taken += [each.next() for each in clones]
        taken += [told for each in clones for told in each.stop()]
        server.start()
        return taken

    figures(f"1 server killed once: {lose_nothing(tmp_path, 3, kill_once)}; nothing lost")


@pytest.mark.long
def test_they_lose_nothing_whenever_it_is_killed(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """About 2 minutes on an idle core."""
    n_kills, draw = 6, random.Random(0)

    def kill_often(server: Server, clones: list[Clone]) -> list[bool]:
        taken = [each.next() for each in clones]
        for _ in range(n_kills):
            time.sleep(draw.uniform(0.1, 3))
            server.kill()
            server.start()
        return taken + [told for each in clones for told in each.stop()]

    found = lose_nothing(tmp_path, 20, kill_often)
    figures(f"1 server killed {n_kills} times at any moment: {found}; nothing lost, nothing twice")
