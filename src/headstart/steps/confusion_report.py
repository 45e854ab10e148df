"""Predictions → what the final checkpoint confuses: matrix, pairs, pictures, one page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from headstart.core.confusion import Pick, confused_pairs, matrix_tables, picked_rows
from headstart.core.confusion_figures import Tile, confusion_figure, contact_sheet_figure
from headstart.core.confusion_page import confusion_page
from headstart.core.metrics import confusion_matrix, predicted_classes
from headstart.core.section import Section
from headstart.store.predictions import Predictions

Decode = Callable[[str], NDArray[np.uint8]]

WRONG = (
    "Wrong, with the lowest probability of the actual class first. Above each picture: what was "
    "predicted, with what probability; the actual class and its probability; the file."
)
SHEETS: dict[Pick, tuple[str, str]] = {
    "most_wrong": ("Most wrong", WRONG),
    "most_uncertain": ("Most uncertain", "Probability of the actual class nearest to 1/K first."),
    "most_correct": (
        "Most correct",
        "Right, with the highest probability of the actual class first.",
    ),
}


class ConfusionReportParams(Section):
    """Section `confusion_report`: whose errors are shown, and how many."""

    split: Literal["valid", "test"] = Field(description="whose errors are shown: valid or test")
    probabilities: Literal["plain", "tta"] = Field(description="predictions used: plain or tta")
    n_pictures: int = Field(ge=0, le=50, description="pictures a class and contact sheet, 0 to 50")
    n_pairs: int = Field(ge=0, description="most confused pairs that are listed; 0: none")


@dataclass(frozen=True)
class ConfusionReport:
    """All parts of the report, as values."""

    files: dict[str, str | pd.DataFrame | Figure]
    """By file name. confusion.html: the page, which needs no other file. confusion.csv: a row a
    labelled picture (id, path, actual, predicted, p_actual, p_predicted). confusion.png: the
    matrix; as tables confusion_counts.csv (long) and confusion_matrix.csv (wide).
    confusion_pairs.csv. Contact sheets: most_wrong.png, most_uncertain.png, most_correct.png."""
    metrics: dict[str, int]


def confusion_report(
    predictions: Predictions,
    paths: Mapping[str, str],
    decode: Decode,
    scores: Mapping[str, Any],
    params: ConfusionReportParams,
) -> ConfusionReport:
    """Report on the labelled pictures of one split; where it has none, every part is empty.

    Args:
        predictions: of the final checkpoint
        paths: a file of each picture, by id
        decode: id -> pixels (H, W, 3)
        scores: metrics of tta_evaluate, for the page
        params: section confusion_report
    """
    table = predictions.table
    chosen = predictions.where((table["split"] == params.split) & table["target"].notna())
    probabilities, classes = chosen.probabilities(params.probabilities), chosen.classes
    targets = chosen.table["target"].to_numpy(np.int64)
    predicted = predicted_classes(probabilities)
    counts = confusion_matrix(predicted, targets, len(classes))
    names, ids = np.array(classes, object), chosen.table["id"].tolist()
    every = np.arange(len(ids))
    pictures = pd.DataFrame(
        {
            "id": ids,
            "path": [paths[picture] for picture in ids],
            "actual": names[targets],
            "predicted": names[predicted],
            "p_actual": probabilities[every, targets],
            "p_predicted": probabilities[every, predicted],
        }
    )
    n_errors = int((predicted != targets).sum())
    view = "TTA" if params.probabilities == "tta" else "plain view"
    title = f"{params.split}, {view}: {len(ids) - n_errors} of {len(ids)} right"
    matrix = confusion_figure(counts, classes, title)
    sheets = {}
    for pick, (heading, _) in SHEETS.items():
        picked = picked_rows(pick, probabilities, targets, params.n_pictures)
        tiles = [[_tile(pictures, row, decode) for row in rows.tolist()] for rows in picked]
        sheets[pick] = contact_sheet_figure(list(zip(classes, tiles, strict=True)), heading)
    long, wide = matrix_tables(counts, classes)
    pairs = confused_pairs(counts, classes)
    listed = pairs.head(params.n_pairs)
    summary = f"{n_errors} of {len(ids)} labelled pictures of {params.split} are wrong ({view})."
    shown = [(*SHEETS[pick], sheet) for pick, sheet in sheets.items()]
    files: dict[str, str | pd.DataFrame | Figure] = {
        "confusion.html": confusion_page(scores, summary, matrix, listed, shown),
        "confusion.csv": pictures,
        "confusion.png": matrix,
        "confusion_counts.csv": long,
        "confusion_matrix.csv": wide,
        "confusion_pairs.csv": listed,
        **{f"{pick}.png": sheet for pick, sheet in sheets.items()},
    }
    numbers = {"n_pictures": len(ids), "n_errors": n_errors, "n_confused_pairs": len(pairs)}
    return ConfusionReport(files, numbers)


def _tile(pictures: pd.DataFrame, row: int, decode: Decode) -> Tile:
    """One picture with what was said of it, what is true, and its file's name."""
    about: Any = pictures.iloc[row]
    right = about["actual"] == about["predicted"]
    said = f"→ {about['predicted']} {about['p_predicted']:.2f}"
    true = "" if right else f"\n{about['actual']} {about['p_actual']:.2f}"
    caption = f"{said}{true}\n{PurePosixPath(about['path']).name[-26:]}"
    return Tile(decode(about["id"]), caption, bool(right))
