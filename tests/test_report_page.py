"""The page of the report in a browser: nothing overflows, nothing is loaded, a click sorts.

Names of classes and files are long and hostile, and there are more classes than the matrix shows.
"""

import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from headstart.backbone.frame import Frame
from headstart.evaluation.predictions import Predictions
from headstart.evaluation.scoring import Scoring, class_scores, label_scores
from headstart.explaining.masks import Asked
from headstart.explaining.overlay import mask_png
from headstart.labels.task import Task
from headstart.reporting.thumbnails import Decode
from headstart.steps.confusion_report import ConfusionReportParams, confusion_report
from tests.browser import looked_at
from tests.reporting.test_facts import told
from tests.reporting.test_facts_data import ABOUT
from tests.steps.test_confusion_report import COURSE

PARAMS = ConfusionReportParams(split="valid", probabilities="tta", n_pictures=2, n_pairs=20)
HOSTILE = (
    '<script>document.body.innerHTML = ""</script>',
    "</style><img src=http://example.invalid/x.png>",
    "x" * 120,
    "many words " * 12,
    "\"quoted' & <b>bold</b>",
    "{{ 7 * 7 }}",
)


def plain(picture: str) -> Image.Image:
    return Image.new("RGB", (64, 20 + int(picture) % 60), (int(picture) % 256, 90, 160))


def grainy(picture: str) -> Image.Image:
    """A picture of which a JPEG takes as much as of cloth."""
    noise = np.random.default_rng(int(picture)).integers(0, 256, (250, 250), np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1)).convert("RGB")


def doubted(ids: Sequence[str], paths: Mapping[str, str], names: Sequence[str]) -> pd.DataFrame:
    """An audit in which 30 labels may be wrong."""
    count = np.arange(len(ids))
    return pd.DataFrame(
        {
            "id": ids,
            "path": [paths[picture] for picture in ids],
            "split": np.array(["train", "valid", "test"])[count % 3],
            "given": np.array(names)[count % len(names)],
            "suggested": np.array(names)[(count + 1) % len(names)],
            "p_wrong": 1 / (1 + count / 30),
            "flagged": count < 30,
        }
    )


def page_of(
    task: Task,
    k: int,
    n: int = 160,
    decode: Decode = plain,
    params: ConfusionReportParams = PARAMS,
) -> str:
    """The report on n pictures of k classes, some of which have hostile names."""
    generator = np.random.default_rng(0)
    names = (*HOSTILE, *(f"class {number}" for number in range(k)))[:k]
    ids = [f"{number:04d}" for number in range(n)]
    paths = {picture: f"valid/{'long_name_' * (int(picture) % 13)}{picture}.jpg" for picture in ids}
    truth = np.eye(k, dtype=bool)[np.arange(n) % k]
    if task == "multi_label":
        truth |= generator.random((n, k)) < 0.1
    raw = np.exp(2 * truth + generator.normal(size=(n, k)))  # (N, K)
    targets = [np.flatnonzero(row).tolist() for row in truth]
    table = pd.DataFrame({"id": ids, "split": "valid", "targets": pd.Series(targets, dtype=object)})
    scoring = Scoring(0.95, 100, 0)
    if task == "single_label":
        p = raw / raw.sum(axis=1, keepdims=True)
        predictions = Predictions(names, table, p[None], p)
        scores = class_scores(p, np.arange(n) % k, names, scoring)
    else:
        p = raw / (2 + raw)
        predictions = Predictions(
            names, table, p[None], p, task, {"plain": (0.5,) * k, "tta": (0.5,) * k}
        )
        scores = label_scores(p, truth, p > 0.5, p > 0.5, names, scoring)
    valid = {"plain": scores, "tta": scores}
    scored = {
        "valid": valid,
        "test": valid,
        "checkpoints": {"head": {"valid": valid, "test": valid}},
    }
    facts = told(about=ABOUT | {"classes": list(names)})
    heat = np.linspace(0, 1, 49, dtype=np.float32).reshape(7, 7)

    def looked(asked: Sequence[Asked]) -> list[bytes]:
        return [mask_png(heat, one.size, Frame(crop="center", crop_frac=0.9)) for one in asked]

    report = confusion_report(
        predictions, paths, decode, scored, COURSE, params, 0.95, facts, looked,
        audit=doubted(ids, paths, names),
    )  # fmt: skip
    return str(report.files["report.html"])


@pytest.fixture(
    scope="module", params=[("single_label", 3), ("single_label", 70), ("multi_label", 9)]
)
def page(request: pytest.FixtureRequest) -> str:
    return page_of(*request.param)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window_and_nothing_is_loaded(
    page: str, width: int, tmp_path: Path
) -> None:
    found = looked_at(page, tmp_path, width)
    assert found["inner"] == width
    assert found["outside"] == [] and found["scroll"] <= width
    assert found["refused"] == found["asked"] == []


def test_the_file_names_no_address(page: str) -> None:
    found = Addresses()
    found.feed(page)
    assert found.addresses == []
    assert re.findall(r"url\((?!data:image/)|@import", page) == []


class Addresses(HTMLParser):
    """What the elements of a page point at, outside the page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep addresses that are no place of this page."""
        found = [
            value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")
        ]
        self.addresses += [value for value in found if not value.startswith(("#", "data:"))]


def test_the_probe_sees_what_overflows_and_what_is_asked_for(tmp_path: Path) -> None:
    address = "https://example.invalid/x.png"
    wrong = f'<main><img src="{address}"><p style="width: 900px">wide</p>'
    found = looked_at(page_of("single_label", 3).replace("<main>", wrong), tmp_path, 390)
    assert found["refused"] == found["asked"] == [address]
    assert found["scroll"] > 390 and any("900px" in element for element in found["outside"])


def test_labels_that_may_be_wrong_are_shown_with_their_pictures(page: str, tmp_path: Path) -> None:
    ask = """(() => {
      const heading = [...document.querySelectorAll("h2")]
        .find(h => h.textContent === "Labels that may be wrong");
      const shots = [...heading.nextElementSibling.nextElementSibling.querySelectorAll("figure")];
      const drawn = shots.filter(shot =>
        getComputedStyle(shot.querySelector(".thumb")).backgroundImage.startsWith("url(\\"data:"));
      return [heading.nextElementSibling.textContent, shots.length, drawn.length, shots[0].textContent];
    })()"""
    text, n_shown, n_drawn, first = looked_at(page, tmp_path, 1280, ask)["answer"]
    assert "30 of 160 pictures may have a wrong label: 10 of 54 in train, 10 of 53 in valid" in text
    assert n_shown == n_drawn == 24
    assert all(part in first for part in (*HOSTILE[:2], "100%", "train", "0000.jpg"))


def test_a_click_on_a_heading_sorts_the_classes(tmp_path: Path) -> None:
    ask = """(() => {
      const table = document.querySelector("table.sortable");
      const keys = n => [...table.tBodies[0].rows].map(row => row.cells[n].dataset.key);
      const click = n => { table.tHead.rows[0].cells[n].firstChild.click(); return keys(n); };
      return [click(0), click(0), click(2), click(2), table.tHead.rows[0].cells[2].ariaSort];
    })()"""
    up, down, high, low, said = looked_at(page_of("single_label", 20), tmp_path, 1280, ask)[
        "answer"
    ]
    assert len(up) == 20 and up != down and set(HOSTILE) < set(up)
    assert up == down[::-1] and [up.index(f"class {n}") for n in (0, 1)] == sorted(
        up.index(f"class {n}") for n in (0, 1)
    )
    recalls = [float(recall) for recall in high]
    assert len(set(recalls)) > 3 and recalls == sorted(recalls, reverse=True)
    assert [float(recall) for recall in low] == sorted(recalls) and said == "ascending"


def test_ten_classes_take_less_than_3_mb() -> None:
    params = ConfusionReportParams(split="valid", probabilities="tta", n_pictures=6, n_pairs=10)
    page = page_of("single_label", 10, 600, grainy, params)
    n_pictures = len(re.findall(r"^\.p\d+\{", page, re.M))
    assert n_pictures > 100 and 1e6 < len(page.encode("utf-8")) < 3e6
