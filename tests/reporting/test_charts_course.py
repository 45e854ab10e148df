"""The drawing of all stages on one axis of epochs."""

import math
import re
from typing import Any

import pandas as pd
import pytest

from headstart.reporting.charts_course import course_chart
from headstart.reporting.course import Course
from tests.reporting.drawings import drawn, lines_of, readings, words


def table(cycles: list[int], lr: float = 0.1, score: float = 0.5) -> pd.DataFrame:
    rows = [
        {
            "epoch": epoch,
            "phase": 0,
            "cycle": cycle,
            "lr": lr,
            "train_loss": 1 / (1 + epoch),
            "valid_loss": 0.75,
            "valid_score": score + epoch / 100,
        }
        for epoch, cycle in enumerate(cycles)
    ]
    return pd.DataFrame(rows)


def course(kept_epoch: int | None = 3, **changes: pd.DataFrame) -> Course:
    epochs = {
        # Not in the order of the training.
        "unfreeze_finetune": table([0, 1, 1], lr=0.001, score=0.8),
        "train_head": table([0, 1]),
        "train_augmented": table([]),
    }
    metrics: dict[str, Any] = {} if kept_epoch is None else {"kept_epoch": kept_epoch}
    return Course({}, {}, epochs | changes, metrics)


def test_stages_follow_one_another_on_one_axis() -> None:
    chart = course_chart(course(), "accuracy")
    assert chart is not None
    assert [(span.name, span.start, span.width) for span in chart.stages] == [
        ("Head on the plain view", 0, 40),
        ("Fine-tuning", 40, 60),
    ]
    markup = drawn("course_chart", chart)
    assert lines_of(markup, "stage") == ["40.0"] * 3  # in each panel
    assert lines_of(markup, "cycle") == ["20.0", "60.0"] * 3
    assert "1 Head on the plain view: epochs 1 to 2; 2 Fine-tuning: epochs 3 to 5." in words(markup)
    # A line is broken between two stages.
    assert [line.line.count("M") for panel in chart.panels for line in panel.lines] == [2] * 4
    places = re.findall(r"([ML])([\d.]+) ", chart.panels[0].lines[1].line)
    assert places == [("M", "10"), ("L", "30"), ("M", "50"), ("L", "70"), ("L", "90")]
    assert [tick.label for tick in chart.x_ticks] == ["1", "2", "3", "4", "5"]
    assert [panel.name for panel in chart.panels] == [
        "loss",
        "accuracy on valid",
        "learning rate (log scale)",
    ]


@pytest.mark.parametrize(
    ("kept", "at", "text"),
    [(3, "90.0", "kept: epoch 5"), (1, "50.0", "kept: epoch 3"), (0, "40.0", "kept: the start of")],
)
def test_the_kept_epoch_is_marked(kept: int, at: str, text: str) -> None:
    markup = drawn("course_chart", course_chart(course(kept), "accuracy"))
    assert lines_of(markup, "kept") == [at] * 3
    assert text in words(markup)


def test_what_was_kept_is_not_invented() -> None:
    assert "kept" not in drawn("course_chart", course_chart(course(None), "accuracy"))
    without = course(2, unfreeze_finetune=table([]))
    assert "kept" not in drawn("course_chart", course_chart(without, "accuracy"))


def test_the_values_of_each_epoch_can_be_read() -> None:
    found = readings(drawn("course_chart", course_chart(course(), "<F2>")))
    assert [at for at, _ in found] == [10, 30, 50, 70, 90]
    assert found[3][1] == (
        "epoch 4 · Fine-tuning, cycle 2 · train loss 0.5 · valid loss 0.75 · valid <F2> 0.81 · "
        "learning rate 0.001"
    )


def test_a_cycle_of_several_phases_names_its_phase() -> None:
    phases = table([0, 1, 0]).assign(phase=[0, 0, 1])
    chart = course_chart(course(train_head=phases), "F2")
    assert chart is not None
    assert chart.cycles == (16.67, 33.33, 66.67)
    assert "phase 2, cycle 1" in chart.readings[2][1]
    assert "Fine-tuning, cycle 1" in chart.readings[3][1]


def test_the_legend_switches_each_line() -> None:
    markup = drawn("course_chart", course_chart(course(), "accuracy"))
    for key in ("train", "valid", "score", "rate"):
        assert f'type="checkbox" value="{key}" checked' in markup
        assert f'<g class="series {key}">' in markup


@pytest.mark.parametrize("absent", [True, False])
def test_without_valid_the_drawing_says_so(absent: bool) -> None:
    columns = ["valid_loss", "valid_score"]
    bare = {
        stage: t.drop(columns=columns) if absent else t.assign(**dict.fromkeys(columns, math.nan))
        for stage, t in course().epochs.items()
        if len(t)
    }
    chart = course_chart(Course({}, {}, bare, {}), "F2")
    assert chart is not None
    assert [panel.name for panel in chart.panels] == ["loss", "learning rate (log scale)"]
    markup = drawn("course_chart", chart)
    assert "No F2: valid was not measured." in words(markup)
    assert "nan" not in markup


def test_a_rate_of_0_makes_the_axis_linear() -> None:
    chart = course_chart(course(train_head=table([0], lr=0.0)), "F2")
    assert chart is not None
    assert chart.panels[-1].name == "learning rate"


def test_one_epoch_is_drawn_and_none_is_none() -> None:
    one = course_chart(Course({}, {}, {"train_head": table([0])}, {}), "F2")
    assert "1 Head on the plain view: epoch 1." in words(drawn("course_chart", one))
    assert course_chart(Course({}, {}, {"train_head": table([])}, {}), "F2") is None
    assert course_chart(Course({}, {}, {}, {}), "F2") is None
