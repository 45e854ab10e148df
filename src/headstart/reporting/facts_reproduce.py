"""How to make the same result again: revision, params, commands, versions, machine, time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Values = Mapping[str, Any]

COMMIT = "mlflow.source.git.commit"
EXPERIMENT = "headstart.experiment"
CHANGES, MACHINE, VERSIONS = "headstart.changes", "headstart.machine", "headstart.versions"
"""Tags of the record of a stage's run, as headstart.tracking writes them."""

UNCHANGED = "none"
"""Value of CHANGES where there were none."""

N_COMMIT = 10
"""Characters of a shortened commit."""


@dataclass(frozen=True)
class Ran:
    """One stage's run: its name, day and minute in UTC, seconds, and shortened commit."""

    stage: str
    at: str
    seconds: str
    commit: str


@dataclass(frozen=True)
class ReproduceFacts:
    """How to make the result again.

    Attributes:
        sentences: on the revision, and on what no commit holds.
        commands: for a shell, one a line.
        machines: each machine that a stage ran on, and its stages if there are several.
        versions: of Python and the packages that shape results, each combination that occurred.
        stages: in the order in which they ran.
        total: time of all stages, as text.
        params_text: the whole params.yaml of this result.
    """

    sentences: tuple[str, ...]
    commands: tuple[str, ...]
    machines: tuple[str, ...]
    versions: tuple[str, ...]
    stages: tuple[Ran, ...]
    total: str
    params_text: str


def reproduce_facts(records: Sequence[Values], params_text: str) -> ReproduceFacts:
    """Say how the result was made.

    Args:
        records: the content of data/7_runs/<stage>.json, one or more.
        params_text: the text of params.yaml.
    """
    ran = sorted(records, key=lambda record: (record["started_ms"], record["stage"]))
    commits = _by_value(ran, COMMIT)
    newest = ran[-1]["tags"].get(COMMIT, "")
    changes = {path for record in ran for path in _changes(record)}
    seconds = [(record["ended_ms"] - record["started_ms"]) / 1000 for record in ran]
    return ReproduceFacts(
        sentences=tuple(_sentences(ran, commits, newest, sorted(changes))),
        commands=tuple(_commands(newest, "params.yaml" in changes)),
        machines=_where(_by_value(ran, MACHINE)),
        versions=_where(_by_value(ran, VERSIONS)),
        stages=tuple(
            Ran(
                record["stage"],
                datetime.fromtimestamp(record["started_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M"),
                f"{duration:,.1f}",
                record["tags"].get(COMMIT, "")[:N_COMMIT],
            )
            for record, duration in zip(ran, seconds, strict=True)
        ),
        total=_duration(sum(seconds)),
        params_text=params_text,
    )


def _sentences(
    ran: Sequence[Values], commits: Values, newest: str, changes: Sequence[str]
) -> list[str]:
    if not newest:
        return ["No git revision was recorded: the project was in no repository with a commit."]
    said = [f"The result was made at revision {newest}."]
    if len(commits) > 1:
        said.append(
            f"DVC kept results of earlier stages, so {len(commits)} revisions took part: see the table."
        )
    names = sorted({record["tags"][EXPERIMENT] for record in ran if EXPERIMENT in record["tags"]})
    if names:
        said.append(f"It is of the experiment {', '.join(names)}.")
    if changes:
        said.append(f"These files had changes that no commit held: {', '.join(changes)}.")
    elif all(CHANGES in record["tags"] for record in ran):
        said.append("No file of the project had changes that the revision lacks.")
    return said


def _commands(commit: str, params_changed: bool) -> list[str]:
    commands = [f"git checkout {commit}"] if commit else []
    if params_changed or not commit:
        commands.append("# write the params below into params.yaml")
    return [*commands, "pip install -e .", "dvc repro"]


def _changes(record: Values) -> list[str]:
    """Paths with uncommitted changes; empty where there were none, or none were recorded."""
    said = record["tags"].get(CHANGES, UNCHANGED)
    return [] if said == UNCHANGED else said.split("\n")


def _by_value(ran: Sequence[Values], tag: str) -> dict[str, list[str]]:
    """Value of a tag -> the stages that have it, in the order in which they first ran."""
    found: dict[str, list[str]] = {}
    for record in ran:
        found.setdefault(record["tags"].get(tag, ""), []).append(record["stage"])
    return found


def _where(stages_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Each value, with its stages if there are several values; "" is one that was not recorded."""
    if len(stages_of) == 1:
        return tuple(value for value in stages_of if value)
    return tuple(
        f"{value or 'not recorded'} ({', '.join(stages)})" for value, stages in stages_of.items()
    )


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:,.1f} hours"
