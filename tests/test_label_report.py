"""The confusion report of multi_label predictions: its parts and their sentences."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from headstart.evaluation.predictions import Predictions
from headstart.project.files import write_report
from headstart.steps.confusion_report import (
    ConfusionReport,
    ConfusionReportParams,
    confusion_report,
)
from tests.sheets import tiles
from tests.steps.test_confusion_report import COURSE, Decoder

LABELS = ("clear", "h<a>ze", "none")
PARAMS = ConfusionReportParams(split="valid", probabilities="tta", n_pictures=2, n_pairs=5)
TTA = np.array([[0.9, 0.1, 0.1], [0.7, 0.1, 0.1], [0.2, 0.6, 0.1], [0.5] * 3, [0.3, 0.3, 0.1]])
TABLE = pd.DataFrame(
    {
        "id": list("abcde"),
        "split": ["valid"] * 4 + ["test"],
        "targets": pd.Series([[0, 1], [1], [1], None, []], dtype=object),
    }
)
THRESHOLDS = {"plain": (0.95,) * 3, "tta": (0.5, 0.25, 0.5)}
PREDICTIONS = Predictions(LABELS, TABLE, TTA[None], TTA, "multi_label", THRESHOLDS)  # type: ignore[arg-type]
PATHS = {picture: f"valid/{picture} 1.jpg" for picture in "abcde"}


def scored(f2: float) -> dict[str, Any]:
    values: dict[str, Any] = {"n_pictures": 3, "f2_claimed": f2 + 0.0625, "f2_optimism": 0.0625}
    for name, value in (("f2", f2), ("map", 0.321), ("log_loss", 0.654)):
        values |= {name: value, f"{name}_ci_low": value - 0.1, f"{name}_ci_high": value + 0.1}
    for name in ("precision", "recall"):
        values |= {f"{name}{end}": {"h<a>ze": f2} for end in ("", "_ci_low", "_ci_high")}
    return values | {"n_labels_absent": 1, "labels_absent": "no<n>e"}


VALID = {"plain": scored(0.5), "tta": scored(0.75)}
SCORES = {"valid": VALID, "checkpoints": {"head": {"valid": VALID}, "finetuned": {"valid": VALID}}}


def report(predictions: Predictions = PREDICTIONS, **changes: Any) -> ConfusionReport:
    params = ConfusionReportParams.model_validate({**PARAMS.model_dump(), **changes})
    return confusion_report(predictions, PATHS, Decoder(), SCORES, COURSE, params, 0.95)


def rows(result: ConfusionReport, name: str) -> list[tuple[Any, ...]]:
    table = result.files[name]
    assert isinstance(table, pd.DataFrame)
    return [tuple(row) for row in table.astype(object).fillna("").itertuples(index=False)]


def words(result: ConfusionReport) -> str:
    page = result.files["report.html"]
    assert isinstance(page, str)
    return re.sub(r"base64,[^\"]*", "", page)


def test_the_labelled_pictures_of_the_split_are_counted() -> None:
    result = report()
    assert rows(result, "confusion.csv") == [
        ("a", "valid/a 1.jpg", "clear", "clear", 0.9, 0.9),
        ("a", "valid/a 1.jpg", "h<a>ze", "(none)", 0.1, ""),
        ("b", "valid/b 1.jpg", "h<a>ze", "clear", 0.1, 0.7),
        ("c", "valid/c 1.jpg", "h<a>ze", "h<a>ze", 0.6, 0.6),
    ]
    assert rows(result, "confusion_matrix.csv") == [
        ("clear", 1, 0, 0, 0),
        ("h<a>ze", 1, 1, 0, 1),
        ("none", 0, 0, 0, 0),
        ("(none)", 0, 0, 0, 0),
    ]
    assert len(rows(result, "confusion_counts.csv")) == 16
    assert rows(result, "confusion_pairs.csv") == [("h<a>ze", "clear", 1, 1 / 3)]
    assert rows(result, "confusion_tables.csv") == [
        ("clear", 1, 0, 1, 1, 0.5, 1.0, 0.5),
        ("h<a>ze", 1, 2, 0, 0, 1.0, 1 / 3, 0.25),
        ("none", 0, 0, 0, 3, "", "", 0.5),
    ]
    assert result.metrics == {
        "n_pictures": 3,
        "n_errors": 2,
        "n_missed": 2,
        "n_extra": 1,
        "n_confused_pairs": 1,
    }


def test_each_kind_of_prediction_has_its_thresholds_and_the_other_split_can_be_chosen() -> None:
    plain = report(probabilities="plain").metrics
    assert (plain["n_missed"], plain["n_extra"]) == (4, 0)
    assert rows(report(split="test"), "confusion.csv") == [
        ("e", "valid/e 1.jpg", "(none)", "h<a>ze", "", 0.3)
    ]


def test_sheets_show_the_pictures_of_each_label() -> None:
    figure = report().files["most_wrong.png"]
    assert isinstance(figure, Figure)
    assert tiles(figure) == [
        ("missed: h<a>ze\nextra: clear\nclear 0.700 ≥ 0.50\nb 1.jpg", ord("b")),
        ("missed: h<a>ze\nh<a>ze 0.100 < 0.25\na 1.jpg", ord("a")),
        ("missed: h<a>ze\nextra: clear\nh<a>ze 0.100 < 0.25\nb 1.jpg", ord("b")),
    ]


def test_the_page_says_the_scores_and_the_tables() -> None:
    page = words(report())
    assert "2 of 3 labelled pictures of valid have a wrong label (TTA)" in page
    assert "2 labels are missed, 1 are extra" in page
    card = page[page.index("F2, valid, TTA") :]
    assert card.startswith("F2, valid, TTA<b>0.7500</b><small>0.650 – 0.850 of 3</small>")
    assert "0.8125 at thresholds found on these pictures" in card[: card.index("</div>")]
    assert page.index("<td>head</td>") < page.index("<td>finetuned</td>")
    for text in ("F2 plain", "mAP", "0.321", "0.221 – 0.421", "0.654"):
        assert text in page
    label = page[page.index("<td>h&lt;a&gt;ze</td>") :]
    label = label[: label.index("<td>none</td>")]
    assert re.findall(r"<small>(\w+)</small>(\d+)", label) == [
        ("found", "1"),
        ("missed", "2"),
        ("extra", "0"),
        ("neither", "0"),
    ]
    assert "<td>0.25</td><td>75.0%" in label


def test_names_are_escaped_and_absent_labels_named() -> None:
    page = words(report())
    assert "No picture of valid has: no&lt;n&gt;e." in page
    assert "h<a>ze" not in page and "no<n>e" not in page
    assert "No picture of test" not in page


def test_only_on_valid_the_counts_are_said_to_be_those_of_the_search() -> None:
    note = "at thresholds found on valid"
    assert note in words(report()) and note not in words(report(split="test"))


def test_a_score_that_does_not_exist_is_an_empty_cell() -> None:
    without = {key: value for key, value in scored(0.5).items() if not key.startswith("map")}
    of_split = {"plain": without, "tta": without}
    scores = {"valid": VALID, "checkpoints": {"head": {"valid": of_split}}}
    page = confusion_report(PREDICTIONS, PATHS, Decoder(), scores, COURSE, PARAMS, 0.95).files[
        "report.html"
    ]
    assert isinstance(page, str) and "<td></td><td>0.654" in page
    assert "<th>ROC-AUC</th></tr>\n<tr><td>head" not in page  # which no checkpoint has


def test_a_split_without_labels_gives_an_empty_report(tmp_path: Path) -> None:
    none = PREDICTIONS.where(PREDICTIONS.table["targets"].isna().to_numpy(bool))
    result = confusion_report(none, PATHS, Decoder(), {"checkpoints": {}}, COURSE, PARAMS, 0.95)
    assert set(result.metrics.values()) == {0}
    for name, content in result.files.items():
        write_report(tmp_path / name, content)
    assert (tmp_path / "confusion.csv").read_text() == (
        "id,path,actual,predicted,p_actual,p_predicted\n"
    )


def test_both_tasks_have_the_same_files_with_the_same_columns() -> None:
    one = Predictions(LABELS, TABLE[:0], TTA[None, :0], TTA[:0])
    several = report().files
    single = confusion_report(one, PATHS, Decoder(), {}, COURSE, PARAMS, 0.95).files
    assert several.keys() == single.keys()
    for name in ("confusion.csv", "confusion_counts.csv", "confusion_pairs.csv"):
        tables = several[name], single[name]
        assert isinstance(tables[0], pd.DataFrame) and isinstance(tables[1], pd.DataFrame)
        assert tables[0].columns.tolist() == tables[1].columns.tolist()


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        for name, content in report().files.items():
            write_report(tmp_path / place / name, content)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_thresholds_are_needed() -> None:
    with pytest.raises(ValueError, match="3 labels need as many thresholds, found 0"):
        report(replace(PREDICTIONS, thresholds={}))


def test_a_page_without_scores_says_why_and_that_thresholds_are_the_default() -> None:
    none = PREDICTIONS.where(np.zeros(len(TABLE), bool))
    result = confusion_report(
        none, {}, Decoder(), {"checkpoints": {"head": {}}}, COURSE, PARAMS, 0.95
    )
    page = str(result.files["report.html"])
    assert "so nothing is scored" in page and "each label keeps the default threshold" in page
    assert "Confus" not in page and "Most wrong" not in page and "How sure" not in page
    assert "NaN" not in page and "nan<" not in page


def test_thresholds_were_found_on_valid_only_where_it_has_labels() -> None:
    """An empty valid has counts of zero, and its thresholds were found on no picture."""
    only_test = PREDICTIONS.where((TABLE["split"] == "test").to_numpy())
    scores = {"test": VALID, "checkpoints": {"head": {"test": VALID}}}
    page = str(confusion_report(only_test, PATHS, Decoder(), scores, COURSE, PARAMS, 0.95).files[
        "report.html"
    ])  # fmt: skip
    found = "at thresholds found on valid"
    assert found not in page and found in str(report().files["report.html"])
