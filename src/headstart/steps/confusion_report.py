"""Report on a run: what the final checkpoint confuses, with pictures, tables and one page.

The curves of the trainings are drawn here too, so that an edit of a figure trains nothing again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from headstart.evaluation.predictions import Predictions
from headstart.labels.scoring_note import scoring_note
from headstart.labels.task import SCORE
from headstart.project.section import Section
from headstart.reporting.album import Album, Confusion
from headstart.reporting.charts_reliability import reliability_table
from headstart.reporting.class_confusion import ClassConfusion
from headstart.reporting.confusion import matrix_tables
from headstart.reporting.confusion_figures import confusion_figure
from headstart.reporting.confusion_page import (
    CLASS_SHEETS,
    Around,
    Errors,
    ReportedOn,
    confusion_page,
)
from headstart.reporting.course import Course
from headstart.reporting.drawings import drawings
from headstart.reporting.facts import Facts
from headstart.reporting.fine_tuning_note import fine_tuning_note
from headstart.reporting.label_audit import suspects
from headstart.reporting.label_confusion import LabelConfusion
from headstart.reporting.label_page import LABEL_SHEETS, label_page
from headstart.reporting.matrix_grid import by_errors, matrix_grid
from headstart.reporting.near_pairs import near_pairs
from headstart.reporting.thumbnails import Decode, Looked, Thumbnails

N_CLASSES_WITH_PICTURES = 20
"""On the page, those with the most errors; the contact sheets hold more, and the page stays small."""

VIEWS = {"plain": "plain view", "tta": "TTA"}


class ConfusionReportParams(Section):
    """Section `confusion_report`: whose errors are shown, and how many."""

    split: Literal["valid", "test"] = Field(
        description="split whose errors are shown: valid or test"
    )
    probabilities: Literal["plain", "tta"] = Field(description="predictions used: plain or tta")
    n_pictures: int = Field(
        ge=0,
        le=50,
        description="maximum number of pictures per class on each sheet, 0 to 50; 0: none anywhere",
    )
    n_pairs: int = Field(
        ge=0, description="how many of the most confused pairs are listed, at least 0; 0: none"
    )


@dataclass(frozen=True)
class ConfusionReport:
    """All parts of the report, as values."""

    files: dict[str, str | pd.DataFrame | Figure]
    """The parts by file name.

    - report.html: the page, which needs no other file.
    - confusion.csv: one row per labelled picture; for multi_label one row per event of
      label_events. Columns id, path, actual, predicted, p_actual, p_predicted.
    - confusion.png: the matrix. confusion_counts.csv (long) and confusion_matrix.csv (wide) hold
      it as tables.
    - confusion_pairs.csv: the most confused pairs.
    - confusion_tables.csv: the 2 x 2 table of each class.
    - reliability.csv: of valid and test, how often the network is right where it says how sure it is.
    - most_wrong.png, most_uncertain.png, most_correct.png: contact sheets.
    - <stage>.png: the curves of each range test and training.
    """
    metrics: dict[str, int]
    """n_pictures, n_errors (wrong pictures), n_confused_pairs; multi_label: n_missed, n_extra, too."""


def confusion_report(
    predictions: Predictions,
    paths: Mapping[str, str],
    decode: Decode,
    scores: Mapping[str, Any],
    course: Course,
    params: ConfusionReportParams,
    confidence: float,
    facts: Facts | None = None,
    looked: Looked | None = None,
    near: pd.DataFrame | None = None,
    audit: pd.DataFrame | None = None,
) -> ConfusionReport:
    """Report on the labelled pictures of one split.

    Without labelled pictures every part is empty; the page then says so, and what that means.

    Args:
        predictions: predictions of the final checkpoint
        paths: path of one file of each picture, by id
        decode: id -> RGB picture
        scores: metrics of tta_evaluate, for the page
        course: curves and metrics of the trainings; the page says where fine-tuning did not help
        params: section confusion_report
        confidence: level of the intervals, in (0, 1)
        facts: the written parts of the page; None for none
        looked: gives the pictures of the page overlays of where the network looked; None for none
        near: pairs of pictures that show one shot, as read_near; None for none
        audit: labels that may be wrong, as read_audit returns them; None: not judged

    Raises:
        ValueError: predictions of multi_label have no thresholds.
    """
    chosen = predictions.labelled(params.split)
    confusion, ids = _confusion(chosen, params), chosen.table["id"].tolist()
    counts, names, single = confusion.matrix(), confusion.names, predictions.task == "single_label"
    tables, pairs = confusion.tables(), confusion.pairs()
    listed, (long, wide) = pairs.head(params.n_pairs), matrix_tables(counts, names)
    numbers = {**confusion.numbers(), "n_confused_pairs": len(pairs)}
    events = confusion.events()
    events.insert(0, "id", [ids[row] for row in events.index])
    events.insert(1, "path", [paths[picture] for picture in events["id"]])
    n_labelled = {split: len(predictions.labelled(split).table) for split in ("valid", "test")}
    summary, title = _sentences(numbers, params, n_labelled)
    notes = [scoring_note(n_labelled, predictions.task), fine_tuning_note(course.fine_tuning)]
    summary = " ".join(filter(None, [summary, *notes]))
    thumbnails = Thumbnails(decode, looked)
    album = Album(confusion, chosen.classes, ids, paths, thumbnails)
    picks, n = CLASS_SHEETS if single else LABEL_SHEETS, params.n_pictures
    page = confusion_page if single else label_page
    on = ReportedOn(params.split, params.probabilities, confidence)
    drawn = drawings(course, predictions, params.split, params.probabilities)
    if_any = thumbnails if n else None
    pairs_of_one_shot = [] if near is None else near_pairs(near, paths, if_any)
    doubted = None if audit is None else suspects(audit, if_any)
    around = Around(drawn, facts, doubted, pairs_of_one_shot)
    files: dict[str, str | pd.DataFrame | Figure] = {
        "report.html": page(scores, summary, _errors(album, listed, params), around, on),
        "confusion.csv": events,
        "confusion.png": confusion_figure(counts, names, title, last_is_none=not single),
        "confusion_counts.csv": long,
        "confusion_matrix.csv": wide,
        "confusion_pairs.csv": listed,
        "confusion_tables.csv": tables,
        "reliability.csv": reliability_table(drawn.reliability),
        **{f"{pick}.png": album.figure(pick, n, text) for pick, (text, _) in picks.items()},
        **course.figures(SCORE[predictions.task]),
    }
    return ConfusionReport(files, numbers)


def _errors(album: Album, listed: pd.DataFrame, params: ConfusionReportParams) -> Errors:
    """What the page shows of the errors; pictures only of the classes with the most errors."""
    confusion, k, n = album.confusion, len(album.classes), params.n_pictures
    single, counts = isinstance(confusion, ClassConfusion), confusion.matrix()
    shown = [number for number in by_errors(counts) if number < k][:N_CLASSES_WITH_PICTURES]
    picks = CLASS_SHEETS if single else LABEL_SHEETS
    return Errors(
        matrix=matrix_grid(counts, confusion.names, last_is_none=not single),
        tables=confusion.tables(),
        listed=listed,
        pairs=album.pairs(listed) if n else [],
        sheets=[album.sheet(pick, n, *texts, shown) for pick, texts in picks.items()],
        n_without_sheet=k - len(shown),
        thumbnails=album.thumbnails,
    )


def _confusion(chosen: Predictions, params: ConfusionReportParams) -> Confusion:
    """The errors of labelled predictions; for multi_label, at the thresholds of the predictions."""
    probabilities = chosen.probabilities(params.probabilities)
    if chosen.task == "single_label":
        return ClassConfusion(chosen.classes, probabilities, chosen.class_numbers())
    thresholds = chosen.thresholds.get(params.probabilities, ())
    return LabelConfusion(chosen.classes, probabilities, chosen.multi_hot(), thresholds)


def _sentences(
    numbers: Mapping[str, int], params: ConfusionReportParams, n_labelled: Mapping[str, int]
) -> tuple[str, str]:
    """The first sentences of the page, and the title of the matrix."""
    n, n_errors = numbers["n_pictures"], numbers["n_errors"]
    view, pictures = VIEWS[params.probabilities], f"labelled pictures of {params.split}"
    if not n:
        summary = f"There are no {pictures}, so no errors are shown."
        others = [split for split, n_of in n_labelled.items() if n_of]
        summary += "".join(
            f" Set confusion_report.split to {split}, which has some." for split in others
        )
        return summary, f"{params.split}: no labelled pictures"
    title = f"{params.split}, {view}: {n - n_errors} of {n}"
    if "n_missed" not in numbers:
        return f"{n_errors} of {n} {pictures} are wrong ({view}).", f"{title} right"
    wrong = f"{numbers['n_missed']} labels are missed, {numbers['n_extra']} are extra"
    summary = f"{n_errors} of {n} {pictures} have a wrong label ({view}): {wrong}."
    return summary, f"{title} all right"
