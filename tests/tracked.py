"""A tracked stage, a published row, and the store's content, for the tests of tracking."""

import json
from pathlib import Path
from typing import Any

from headstart.project.section import Section
from headstart.tracking.live import stage_run
from headstart.tracking.records import RunRecord, read_run
from headstart.tracking.state import Row, flatten, numbers, state_of
from headstart.tracking.tell import tell
from headstart.tracking.tracker import Tracker


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

    def answer(self) -> str | None:
        return tell(self._messages)


def run_stage(path: Path = Path("run.json"), stage: str = "train-head") -> RunRecord:
    with stage_run(stage, path, {"train_head": PARAMS}) as run:
        for step in run.progress(range(3), 3, "epochs"):
            run.log({"valid_loss": 1.0 / (step + 1), "lr": 0.1}, step)
        Path("curve.csv").write_text("lr,loss\n")
        run.artifact(Path("curve.csv"))
        run.metrics({"valid": {"accuracy": 0.9, "rule": "steepest", "recall": {"a/b": 1}}})
    return read_run(path)


def all_runs() -> list[Any]:
    tracker = Tracker()
    return list(tracker.client.search_runs([tracker.experiment_id]))


def row(**metrics: float) -> Row:
    params = {"train_head": {"lr": 0.1}, "phases": [{"lr": 1}]}
    return Row(state_of(params, metrics), flatten(params), numbers(metrics))
