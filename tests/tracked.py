"""A tracked stage, a published row, and the store's content, for the tests of tracking."""

import json
from pathlib import Path
from typing import Any

from headstart.project.section import Section
from headstart.tracking.headline import CURVES
from headstart.tracking.live import stage_run
from headstart.tracking.records import RunRecord, read_run
from headstart.tracking.state import Row, flatten, numbers, state_of
from headstart.tracking.tell import tell
from headstart.tracking.tracker import Tracker
from headstart.tracking.view import COLUMNS


class Phase(Section):
    lr: float
    train: str


class TrainParams(Section):
    n_epochs: int
    phases: tuple[Phase, ...]


PARAMS = TrainParams(n_epochs=2, phases=(Phase(lr=0.1, train="head"), Phase(lr=1e-5, train="all")))


class TellerInProcess:
    """As `Teller`, but in the process of the test: one of its own takes seconds to import MLflow."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def send(self, kind: str, content: Any) -> None:
        self._messages.append(json.loads(json.dumps({kind: content})))

    def answer(self, deadline_s: float) -> str | None:
        return tell(self._messages)


def run_stage(path: Path = Path("run.json"), stage: str = "train-head") -> RunRecord:
    with stage_run(stage, path, {"train_head": PARAMS}) as run:
        for step in run.progress(range(3), 3, "epochs"):
            run.log({"valid_loss": 1.0 / (step + 1), "lr": 0.1}, step)
        Path("curve.csv").write_text("lr,loss\n")
        run.artifact(Path("curve.csv"))
        run.metrics({"valid": {"accuracy": 0.9, "rule": "steepest", "recall": {"a/b": 1.0}}})
    return read_run(path)


def all_runs() -> list[Any]:
    tracker = Tracker()
    return list(tracker.client.search_runs([tracker.experiment_id]))


def stages_of(row: Any) -> dict[str, str]:
    """Stage -> id of the run that made the row's result."""
    return dict(json.loads(row.data.tags["headstart.runs"]))


def results_of(row: Any) -> dict[str, float]:
    """The row's metrics under their long names, without those that a person reads first."""
    short = {*COLUMNS, *CURVES.values()}
    return {name: value for name, value in row.data.metrics.items() if name not in short}


def row(**metrics: float) -> Row:
    params = {"train_head": {"lr": 0.1}, "phases": [{"lr": 1}]}
    return Row(state_of(params, metrics), flatten(params), numbers(metrics))
