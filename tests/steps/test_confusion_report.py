"""The parts of the report and what they say, of one class a picture."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from pydantic import ValidationError

from headstart.evaluation.predictions import Predictions
from headstart.explaining.masks import Asked
from headstart.project.files import write_report
from headstart.reporting.confusion import Pick
from headstart.reporting.course import Course
from headstart.steps.confusion_report import (
    ConfusionReport,
    ConfusionReportParams,
    confusion_report,
)
from tests.reporting.test_facts import told
from tests.sheets import tiles

CLASSES = ("cat", "d<o>g")
PARAMS = ConfusionReportParams(split="valid", probabilities="tta", n_pictures=2, n_pairs=5)

PLAIN = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])
TTA = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.7, 0.3], [0.5, 0.5], [0.1, 0.9]])
TABLE = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d", "e", "f"],
        "split": ["valid"] * 5 + ["test"],
        "targets": pd.Series([[0], [0], [1], [1], None, [1]], dtype=object),
    }
)
PREDICTIONS = Predictions(CLASSES, TABLE, PLAIN[None], TTA)
PATHS = {picture: f"valid/{picture} 1.jpg" for picture in "abcdef"}


def score(value: float) -> dict[str, Any]:
    scores: dict[str, Any] = {"n_pictures": 4}
    for name in ("accuracy", "log_loss", "macro_f1"):
        scores |= {name: value, f"{name}_ci_low": value - 0.1, f"{name}_ci_high": value + 0.1}
    return scores | {end: {"d<o>g": value} for end in ("recall", "recall_ci_low", "recall_ci_high")}


VALID = {"plain": score(0.5), "tta": score(0.75)}
SCORES = {"valid": VALID, "checkpoints": {"head": {"valid": VALID}, "finetuned": {"valid": VALID}}}
EPOCHS = pd.DataFrame(
    {"epoch": [0, 1], "phase": [0, 0], "cycle": [0, 1], "lr": [0.1, 0.1], "train_loss": [1.0, 0.5]}
)
COURSE = Course(
    {"find_lr_head": pd.DataFrame({"lr": [0.1], "loss": [1.0], "smoothed_loss": [1.0]})},
    {"find_lr_head": {"lr": None, "reason": "too short"}},
    {"train_head": EPOCHS, "train_augmented": EPOCHS.assign(valid_loss=0.7, valid_score=0.75)},
    {},
)


class Decoder:
    """A grey picture of each id; remembers whom it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, picture: str) -> Image.Image:
        self.asked.append(picture)
        return Image.new("RGB", (7, 5), (ord(picture),) * 3)


def report(**changes: Any) -> ConfusionReport:
    params = ConfusionReportParams.model_validate({**PARAMS.model_dump(), **changes})
    return confusion_report(PREDICTIONS, PATHS, Decoder(), SCORES, COURSE, params, 0.95)


def rows(result: ConfusionReport, name: str) -> list[tuple[Any, ...]]:
    table = result.files[name]
    assert isinstance(table, pd.DataFrame)
    return [tuple(row) for row in table.itertuples(index=False)]


def test_the_labelled_pictures_of_the_split_are_counted() -> None:
    result = report()
    assert rows(result, "confusion.csv") == [
        ("a", "valid/a 1.jpg", "cat", "cat", 0.8, 0.8),
        ("b", "valid/b 1.jpg", "cat", "cat", 0.6, 0.6),
        ("c", "valid/c 1.jpg", "d<o>g", "d<o>g", 0.7, 0.7),
        ("d", "valid/d 1.jpg", "d<o>g", "cat", 0.3, 0.7),
    ]
    assert rows(result, "confusion_matrix.csv") == [("cat", 2, 0), ("d<o>g", 1, 1)]
    assert rows(result, "confusion_pairs.csv") == [("d<o>g", "cat", 1, 0.5)]
    assert ("cat", "d<o>g", 0) in rows(result, "confusion_counts.csv")
    tables = [row[:-1] for row in rows(result, "confusion_tables.csv")]
    assert tables == [("cat", 2, 0, 1, 1, 2 / 3, 1.0), ("d<o>g", 1, 1, 0, 2, 1.0, 0.5)]
    assert result.metrics == {"n_pictures": 4, "n_errors": 1, "n_confused_pairs": 1}


def test_plain_predictions_and_the_other_split_can_be_chosen() -> None:
    assert report(probabilities="plain").metrics["n_errors"] == 2
    assert report(split="test").metrics == {"n_pictures": 1, "n_errors": 0, "n_confused_pairs": 0}


def test_no_more_pairs_than_asked_for_are_listed_and_all_are_counted() -> None:
    result = report(n_pairs=0)
    assert rows(result, "confusion_pairs.csv") == []
    assert result.metrics["n_confused_pairs"] == 1


@pytest.mark.parametrize(
    ("pick", "captions"),
    [
        ("most_correct", ["→ cat 0.80\na 1.jpg", "→ cat 0.60\nb 1.jpg", "→ d<o>g 0.70\nc 1.jpg"]),
        ("most_wrong", ["→ cat 0.70\nd<o>g 0.30\nd 1.jpg"]),
    ],
)
def test_sheets_show_the_pictures_and_what_was_said(pick: Pick, captions: list[str]) -> None:
    figure = report().files[f"{pick}.png"]
    assert not isinstance(figure, (str, pd.DataFrame))
    assert tiles(figure) == [(text, ord(text.splitlines()[-1][0])) for text in captions]


def test_only_pictures_that_are_shown_are_decoded() -> None:
    decoder = Decoder()
    params = PARAMS.model_copy(update={"n_pictures": 0})
    confusion_report(PREDICTIONS, PATHS, decoder, SCORES, COURSE, params, 0.95)
    assert decoder.asked == []
    confusion_report(PREDICTIONS, PATHS, decoder, SCORES, COURSE, PARAMS, 0.95)
    assert set(decoder.asked) == {"a", "b", "c", "d"}


def test_each_picture_is_decoded_and_embedded_once() -> None:
    decoder = Decoder()
    page = confusion_report(PREDICTIONS, PATHS, decoder, SCORES, COURSE, PARAMS, 0.95)
    assert sorted(decoder.asked) == ["a", "b", "c", "d"]
    embedded = re.findall(r"url\(data:image/jpeg;base64,([^)]*)\)", str(page.files["report.html"]))
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))).mean() for one in embedded]
    assert sorted(shown) == pytest.approx([ord(picture) for picture in "abcd"], abs=2)


def test_an_overlay_shows_the_predicted_class_and_is_switched_on_by_the_reader() -> None:
    asked: list[Asked] = []

    def looked(every: Sequence[Asked]) -> list[bytes]:
        asked.extend(every)
        return [one.picture.encode() for one in every]

    arguments = (PREDICTIONS, PATHS, Decoder(), SCORES, COURSE, PARAMS, 0.95)
    page = str(confusion_report(*arguments, looked=looked).files["report.html"])
    cat, dog = 0, 1
    predicted = {"a": cat, "b": cat, "c": dog, "d": cat}
    assert sorted(asked) == [(picture, number, (7, 5)) for picture, number in predicted.items()]
    heats = re.findall(r"\.h\d+\{background-image:url\(data:image/png;base64,([^)]*)\)", page)
    assert [base64.b64decode(one).decode() for one in heats] == [one.picture for one in asked]
    assert '<input type="checkbox" id="heat">' in page
    for without in (report(), confusion_report(*arguments, looked=lambda _: [])):
        assert 'id="heat"' not in str(without.files["report.html"])


def test_the_page_escapes_names_and_says_the_scores() -> None:
    page = report().files["report.html"]
    assert isinstance(page, str)
    assert "d&lt;o&gt;g" in page and "d<o>g" not in page
    assert "1 of 4 labelled pictures of valid are wrong (TTA)" in page
    assert "75.00%" in page and "65.0% – 85.0%" in page
    assert page.index("<td>head</td>") < page.index("<td>finetuned</td>")
    assert "test, plain" not in page and "recall, test" not in page


def test_a_pair_shows_the_mistake_between_an_example_of_either_class() -> None:
    page = str(report().files["report.html"])
    [pair] = re.findall(r'<section class="card">(.*?)</section>', page, re.DOTALL)
    assert pair.startswith("<h3>d&lt;o&gt;g → cat</h3>\n<p>1 (50.0%)</p>")
    assert re.findall(r'aria-label="(.*?)"', pair) == ["c 1.jpg", "d 1.jpg", "a 1.jpg"]
    assert pair.count('<figure class="wrong">') == 1


def test_a_split_without_labels_gives_an_empty_report(tmp_path: Path) -> None:
    none = PREDICTIONS.where(PREDICTIONS.table["targets"].isna().to_numpy(bool))
    result = confusion_report(none, PATHS, Decoder(), {"checkpoints": {}}, COURSE, PARAMS, 0.95)
    assert result.metrics == {"n_pictures": 0, "n_errors": 0, "n_confused_pairs": 0}
    for name, content in result.files.items():
        write_report(tmp_path / name, content)
    assert (tmp_path / "confusion.csv").read_text().startswith("id,path,actual,predicted")
    assert (tmp_path / "confusion_tables.csv").read_text().splitlines()[1] == "cat,0,0,0,0,,,"


def test_a_page_without_scores_says_why_and_shows_no_empty_parts() -> None:
    none = PREDICTIONS.where(np.zeros(len(TABLE), bool))
    result = confusion_report(
        none, {}, Decoder(), {"checkpoints": {"head": {}}}, COURSE, PARAMS, 0.95
    )
    page = str(result.files["report.html"])
    [lead] = re.findall(r'<p class="lead">(.*?)</p>', page)
    assert lead.startswith("There are no labelled pictures of valid, so no errors are shown. No ")
    assert "so nothing is scored. The model is still trained and written" in lead
    assert "Confus" not in page and "Most wrong" not in page and "How sure" not in page
    assert "NaN" not in page and "nan<" not in page


def test_where_the_other_split_has_pictures_the_page_says_which_key_shows_them() -> None:
    only_test = PREDICTIONS.where((TABLE["split"] == "test").to_numpy())
    scores = {"test": VALID, "checkpoints": {"head": {"test": VALID}}}
    page = str(confusion_report(only_test, PATHS, Decoder(), scores, COURSE, PARAMS, 0.95).files[
        "report.html"
    ])  # fmt: skip
    assert "no errors are shown. Set confusion_report.split to test, which has some." in page
    assert "No labelled picture is in valid: fine-tuning runs to its end" in page
    assert "All scores of each step" in page


def words(content: object) -> set[str]:
    assert isinstance(content, Figure)
    return {text.get_text() for text in content.findobj(Text) if isinstance(text, Text)}


def test_the_curves_of_the_trainings_are_drawn() -> None:
    files = report().files
    assert {"Range test of the head", "no suggestion: too short"} <= words(
        files["find_lr_head.png"]
    )
    assert {"Head on the plain view", "not measured"} <= words(files["train_head.png"])
    augmented = words(files["train_augmented.png"])
    assert {"Head on augmented views", "accuracy on valid", "best 0.7500"} <= augmented


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        for name, content in report().files.items():
            write_report(tmp_path / place / name, content)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    "wrong", [{"split": "train"}, {"probabilities": "mean"}, {"n_pictures": -1}, {"n_pairs": -1}]
)
def test_params_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ConfusionReportParams.model_validate({**PARAMS.model_dump(), **wrong})


def test_the_page_says_where_fine_tuning_did_not_help() -> None:
    scores = {"log_loss": 0.5, "accuracy": 0.8}
    nothing = {"start": scores, "kept": scores, "worse_than_start": False, "kept_epoch": 0}
    report = confusion_report(
        PREDICTIONS, PATHS, Decoder(), SCORES, replace(COURSE, fine_tuning=nothing), PARAMS, 0.95
    )
    page = report.files["report.html"]
    assert isinstance(page, str)
    assert "No cycle of fine-tuning ended better than the start" in page


@pytest.mark.parametrize("known", [True, False])
def test_the_card_of_a_checkpoint_that_valid_chose_says_so(known: bool) -> None:
    choice = {
        "n_points": 3,
        "accuracy": 0.9425,
        "accuracy_claimed": 0.95,
        "accuracy_optimism": 0.01,
    }
    facts = told(fine_tuning={"choice": choice} if known else {})
    page = str(
        confusion_report(PREDICTIONS, PATHS, Decoder(), SCORES, COURSE, PARAMS, 0.95, facts).files[
            "report.html"
        ]
    )
    assert page.count("valid chose this checkpoint") == 2
    assert page.count("valid chose this checkpoint; 94.25% without the choice</small>") == known
    assert page.count("is 94.25% in place of 95.00%.") == known
