"""The drawing of the whole training: loss, score and rate of all stages on one axis of epochs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headstart.reporting.charts import (
    Axis,
    Floats,
    Reading,
    Series,
    Tick,
    from_top,
    linear_axis,
    series,
    spread_axis,
)
from headstart.reporting.course import TITLES, Course


@dataclass(frozen=True)
class Span:
    """A stage's part of the axis of epochs.

    Attributes:
        name: heading of the stage.
        start: in percent.
        width: in percent.
        epochs: its epochs on the common axis, as text: `4 to 6`.
    """

    name: str
    start: float
    width: float
    epochs: str


@dataclass(frozen=True)
class Panel:
    """One of the plots that stand above one another."""

    name: str
    y_ticks: tuple[Tick, ...]
    lines: tuple[Series, ...]


@dataclass(frozen=True)
class CourseChart:
    """What the macro course_chart draws.

    Attributes:
        panels: loss; score, if one was measured; learning rate.
        stages: in order.
        cycles: where a cycle starts that starts no stage.
        kept: place and description of the epoch whose weights were kept; None if that is not known.
        x_ticks: epochs, counted from 1 over all stages.
        readings: stage, cycle and values of each epoch.
        note: a sentence if valid was not measured, else empty.
    """

    panels: tuple[Panel, ...]
    stages: tuple[Span, ...]
    cycles: tuple[float, ...]
    kept: Tick | None
    x_ticks: tuple[Tick, ...]
    readings: tuple[Reading, ...]
    note: str


COLUMNS = ("train_loss", "valid_loss", "valid_score", "lr")


def course_chart(course: Course, score: str) -> CourseChart | None:
    """All epochs of all trainings, one stage behind the other; None if there is no epoch.

    An epoch takes the place of its number, from 1 over all stages. The kept epoch is that of
    unfreeze_finetune; if it kept its start, the mark stands where it begins.

    Args:
        course: its epochs (as epoch_curves_figure takes them) and its metrics of fine-tuning
        score: name of the score in valid_score
    """
    tables = {stage: course.epochs[stage] for stage in TITLES if stage in course.epochs}
    tables = {stage: table for stage, table in tables.items() if len(table)}
    if not tables:
        return None
    epochs = pd.concat([table.assign(stage=stage) for stage, table in tables.items()])
    epochs = epochs.reset_index(drop=True).reindex(columns=["stage", "phase", "cycle", *COLUMNS])
    n = len(epochs)
    x = linear_axis(0.5, n + 0.5, 10 if n < 100 else 6, whole=True)
    across = x.places(np.arange(1, n + 1))
    values = {name: epochs[name].to_numpy(float) for name in COLUMNS}
    new_stage, new_cycle = (_changes(epochs, columns) for columns in (["stage"], _CYCLE))
    starts = np.flatnonzero(new_cycle & ~new_stage)
    note = (
        "" if np.isfinite(values["valid_score"]).any() else f"No {score}: valid was not measured."
    )
    return CourseChart(
        _panels(across, values, np.flatnonzero(new_stage)[1:], score),
        _spans(tables, x),
        tuple(x.place(start + 0.5) for start in starts.tolist()),
        _kept(course, tables, x),
        x.ticks,
        _readings(epochs, across, values, score),
        note,
    )


_CYCLE = ["stage", "phase", "cycle"]


def _changes(epochs: pd.DataFrame, columns: list[str]) -> NDArray[np.bool_]:
    """Whether each epoch differs from the one before it in one of the columns (N,)."""
    return np.asarray(epochs[columns].ne(epochs[columns].shift()).any(axis=1), bool)


def _panels(
    x: Floats, values: dict[str, Floats], stages: NDArray[np.int64], score: str
) -> tuple[Panel, ...]:
    """The panels that have anything to show; a rate of 0 has no place on a logarithmic axis.

    A line is broken where a stage starts, because nothing is trained between two stages.
    """
    log = bool((values["lr"] > 0).all())
    losses = (("train", "train loss", "train_loss"), ("valid", "valid loss", "valid_loss"))
    plans = (
        ("loss", False, losses),
        (f"{score} on valid", False, (("score", f"valid {score}", "valid_score"),)),
        (f"learning rate{' (log scale)' * log}", log, (("rate", "learning rate", "lr"),)),
    )
    panels = []
    for name, is_log, lines in plans:
        y = spread_axis(np.concatenate([values[of] for _, _, of in lines]), is_log)
        drawn = tuple(
            series(key, text, *(np.insert(to, stages, np.nan) for to in (x, y.places(values[of]))))
            for key, text, of in lines
            if np.isfinite(values[of]).any()
        )
        if drawn:
            panels.append(Panel(name, from_top(y.ticks), drawn))
    return tuple(panels)


def _spans(tables: dict[str, pd.DataFrame], x: Axis) -> tuple[Span, ...]:
    spans, before = [], 0
    for stage, table in tables.items():
        start, stop = x.place(before + 0.5), x.place(before + len(table) + 0.5)
        first, last = before + 1, before + len(table)
        text = f"epochs {first} to {last}" if first < last else f"epoch {first}"
        spans.append(Span(TITLES[stage], start, round(stop - start, 2), text))
        before = last
    return tuple(spans)


def _kept(course: Course, tables: dict[str, pd.DataFrame], x: Axis) -> Tick | None:
    kept, last = course.fine_tuning.get("kept_epoch"), "unfreeze_finetune"
    if kept is None or last not in tables:
        return None
    before = sum(len(table) for stage, table in tables.items() if stage != last)
    if kept == 0:
        return Tick(x.place(before + 0.5), "kept: the start of fine-tuning")
    return Tick(x.place(before + kept), f"kept: epoch {before + kept}")


def _readings(
    epochs: pd.DataFrame, x: Floats, values: dict[str, Floats], score: str
) -> tuple[Reading, ...]:
    names = ("train loss", "valid loss", f"valid {score}", "learning rate")
    readings = []
    for row, at in enumerate(x.tolist()):
        numbers = [(name, values[of][row]) for name, of in zip(names, COLUMNS, strict=True)]
        shown = [f"{name} {value:.4g}" for name, value in numbers if np.isfinite(value)]
        place = f"epoch {row + 1} · {TITLES[str(epochs['stage'][row])]}, {_cycle(epochs, row)}"
        readings.append((round(at, 2), " · ".join([place, *shown])))
    return tuple(readings)


def _cycle(epochs: pd.DataFrame, row: int) -> str:
    """`cycle 2`, or `phase 2, cycle 1` in a stage of several phases; both counted from 1."""
    phases = epochs.loc[epochs["stage"] == epochs["stage"][row], "phase"]
    cycle = f"cycle {int(epochs['cycle'][row]) + 1}"
    several = phases.nunique() > 1
    return f"phase {int(epochs['phase'][row]) + 1}, {cycle}" if several else cycle
