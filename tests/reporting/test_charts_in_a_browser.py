"""What only a browser shows: drawings fit a phone, and the script reads out what is pointed at."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headstart.evaluation.predictions import Predictions
from headstart.reporting import charts
from headstart.reporting.charts_course import course_chart
from headstart.reporting.charts_range_test import range_test_chart
from headstart.reporting.charts_reliability import reliability_chart
from headstart.reporting.charts_thresholds import thresholds_chart
from headstart.reporting.course import Course
from tests.reporting.drawings import drawn

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome")

TRY = """
const inside = frame.contentWindow, page = frame.contentDocument;
const all = [...page.querySelectorAll(".chart, .chart *")];
const course = page.querySelector(".course"), plots = course.querySelector(".plots");
const said = () => course.querySelector("output").textContent;
const box = course.querySelector(".plot > svg").getBoundingClientRect();
const shown = name => inside.getComputedStyle(course.querySelector(`.series.${name}`)).display;
const point = (type, share, kind) => plots.dispatchEvent(
  new inside.PointerEvent(type, { clientX: box.left + share * box.width, pointerType: kind }));
const found = {
  overflow: page.documentElement.scrollWidth - inside.innerWidth,
  smallest: Math.min(...all.map(e => parseFloat(inside.getComputedStyle(e).fontSize))),
  outside: all.filter(e => { const b = e.getBoundingClientRect();
    return e.closest("svg svg") === null && b.width && (b.left < 0 || b.right > inside.innerWidth); }
  ).map(e => e.outerHTML.slice(0, 80)),
  hint: said(), line: shown("valid") };
point("pointermove", 0.7, "mouse"); found.pointed = said();
plots.dispatchEvent(new inside.KeyboardEvent("keydown", { key: "ArrowRight" })); found.key = said();
point("pointerleave", 0, "mouse"); found.left = said();
point("pointerdown", 0.01, "touch"); point("pointerleave", 0, "touch"); found.tapped = said();
course.querySelector("[value=valid]").click(); found.switched = shown("valid");
document.body.textContent = JSON.stringify(found);
"""


def page() -> str:
    """All drawings, one below the other."""
    lrs, losses = np.logspace(-6, 0, 40), np.linspace(2, 1, 40)
    curve = pd.DataFrame({"lr": lrs, "loss": losses, "smoothed_loss": losses})
    epochs = pd.DataFrame({"epoch": [0, 1], "phase": 0, "cycle": [0, 1], "lr": [0.1, 0.0001]})
    epochs = epochs.assign(train_loss=[1.0, 0.5], valid_loss=[0.9, 0.6], valid_score=[0.5, 0.8])
    course = Course({}, {}, {"train_head": epochs, "unfreeze_finetune": epochs}, {"kept_epoch": 2})
    n, k = 40, 5
    made = np.random.default_rng(0).random((n, k))
    table = pd.DataFrame(
        {"id": [str(i) for i in range(n)], "split": "valid", "targets": [[0, 3]] * n}
    )
    names = tuple(f"a_name_without_any_place_to_break_it_{number}" for number in range(k))
    many = Predictions(names, table, made[None], made, "multi_label", {"tta": (0.3,) * k})
    parts = [
        drawn("range_test_chart", range_test_chart(curve, 0.5, "rule valley", "Range test")),
        drawn("course_chart", course_chart(course, "accuracy")),
        drawn("reliability_chart", reliability_chart(many, "valid", "tta")),
        drawn("thresholds_chart", thresholds_chart(many, "valid", "tta")),
    ]
    folder = Path(charts.__file__).parent / "templates"
    style, script = ((folder / f"charts.{kind}").read_text() for kind in ("css", "js"))
    return f"<style>{style}</style>{''.join(parts)}<script>{script}</script>"


def tried(width: int, folder: Path) -> Any:
    """What TRY finds in the page, in a frame of this width in px."""
    frame = f'<iframe id="frame" style="width: {width}px; height: 3000px; border: 0" srcdoc="{{}}">'
    outer = folder / "frame.html"
    outer.write_text(
        f"<!doctype html><body>{frame.format(html.escape('<!doctype html>' + page()))}</iframe>"
        f"<script>window.onload = () => {{ {TRY} }}</script>",
        encoding="utf-8",
    )
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,3000", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    body = re.search(r"<body>(.*?)</body>", done.stdout, re.S)
    assert body is not None, done.stderr
    return json.loads(html.unescape(body[1]))


@pytest.mark.parametrize("width", [390, 1280])
def test_the_drawings_fit_and_answer_the_pointer(width: int, tmp_path: Path) -> None:
    found = tried(width, tmp_path)
    assert found["overflow"] == 0
    assert found["outside"] == []
    assert found["smallest"] >= 11
    assert found["hint"].startswith("Point at the drawing")
    assert found["pointed"].startswith("epoch 3 · Fine-tuning, cycle 1 · train loss 1 · ")
    assert found["key"].startswith("epoch 4 · ")
    assert found["left"] == found["hint"]
    assert found["tapped"].startswith("epoch 1 · Head on the plain view")
    assert (found["line"], found["switched"]) == ("inline", "none")
