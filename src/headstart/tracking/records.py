"""data/7_runs/<stage>.json: everything that one run of a stage logged, even without a tracker."""

from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from headstart.project.errors import HeadstartError
from headstart.project.files import write_text


class Point(NamedTuple):
    """One value of one metric."""

    key: str
    value: float
    step: int
    time_ms: int


class RunRecord(BaseModel):
    """One run of one stage, complete enough to be logged again.

    Attributes:
        key: identifies this record in every tracker (32 hex digits).
        stage: as in dvc.yaml, `train-head`.
        run_id: the tracker's id of the run; None if the tracker was down.
        started_ms, ended_ms: milliseconds since 1970.
        params: dotted key -> value as text.
        tags: name -> text.
        points: every value of every metric, in the order of logging.
        artifacts: paths of small files to show, relative to the project.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")

    key: str
    stage: str
    run_id: str | None = None
    started_ms: int
    ended_ms: int = 0
    params: dict[str, str]
    tags: dict[str, str]
    points: list[Point] = []
    artifacts: list[str] = []


def write_run(path: Path, record: RunRecord) -> None:
    """Write `record` to `path`."""
    write_text(path, record.model_dump_json(indent=1) + "\n")


def read_run(path: Path) -> RunRecord:
    """Read the record at `path`.

    Raises:
        ValueError: the file is missing, or is no record of a run.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HeadstartError(
            f"{path} does not exist, but there are metrics of a stage {path.stem}: run `dvc repro`, "
            "or delete the metrics if dvc.yaml has no such stage."
        ) from None
    return parse_run(text, str(path))


def parse_run(text: str, where: str) -> RunRecord:
    """Read a record from `text`; `where` names it in the error.

    Raises:
        ValueError: the text is no record of a run.
    """
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        raise HeadstartError(f"{where} is not the record of a stage's run: {error}") from None
