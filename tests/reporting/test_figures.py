"""Figures say what they should; their looks were judged by eye."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from headstart.reporting.confusion_figures import (
    GAP,
    N_CLASSES_ON_A_SHEET,
    PICTURE,
    Tile,
    confusion_figure,
    contact_sheet_figure,
)
from headstart.reporting.figures import epoch_curves_figure, lr_curve_figure


def texts(figure: Figure) -> list[str]:
    """All words of a figure, after it was drawn to a PNG without a warning."""
    figure.savefig(buffer := io.BytesIO(), format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
    return [found.get_text() for found in figure.findobj(Text) if isinstance(found, Text)]


NO_MATH = r"a$\b$"  # drawing it as a formula raises

LRS, LOSSES = [1e-4, 1e-3, 1e-2, 1e-1], [1.0, 0.9, 0.5, 3.0]


def curve(losses: list[float]) -> pd.DataFrame:
    """As it is read from the CSV that find-lr-head writes: without rows its columns have no type."""
    rows = {"lr": LRS[: len(losses)], "loss": losses, "smoothed_loss": losses}
    text = pd.DataFrame(rows).assign(suggested_lr=None).to_csv(index=False)
    return pd.read_csv(io.StringIO(text))


def test_the_suggestion_is_marked_and_named() -> None:
    figure = lr_curve_figure(curve(LOSSES), 0.01, "steepest fall", "Range test")
    words = texts(figure)
    assert {"training loss", "Range test", "suggestion 0.01"} <= set(words)
    assert "suggestion 0.01: steepest fall" in words
    marks = [list(np.asarray(line.get_xdata())) for line in figure.axes[0].lines]
    assert marks == [LRS, LRS, [0.01, 0.01]]


def test_without_a_suggestion_the_reason_is_given_and_nothing_marked() -> None:
    figure = lr_curve_figure(curve(LOSSES), None, NO_MATH, NO_MATH)
    assert {f"no suggestion: {NO_MATH}", NO_MATH} <= set(texts(figure))
    assert len(figure.axes[0].lines) == 2


@pytest.mark.parametrize("losses", [[], [1.0], [0.0, 0.0], [1.0, 0.5, math.nan, math.inf]])
def test_a_short_flat_or_broken_curve_is_drawn(losses: list[float]) -> None:
    assert texts(lr_curve_figure(curve(losses), None, "too short", "Range test"))


def epochs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "phase": [0, 0, 0],
            "cycle": [0, 1, 1],
            "lr": [0.1, 0.1, 0.05],
            "train_loss": [1.0, 0.8, 0.7],
            "valid_loss": [1.1, 0.9, 0.95],
            "valid_score": [0.5, 0.75, 0.7],
        }
    )


def test_epoch_curves_name_the_best_epoch_and_the_cycles() -> None:
    figure = epoch_curves_figure(epochs(), NO_MATH, "F2")
    words = texts(figure)
    assert {"training", "valid", "best 0.7500", NO_MATH, "learning rate"} <= set(words)
    dotted = [line.get_xdata() for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert dotted == [[0.5, 0.5]]


@pytest.mark.parametrize("dropped", [["valid_loss", "valid_score"], []])
def test_epoch_curves_do_without_valid(dropped: list[str]) -> None:
    table = epochs().drop(columns=dropped).iloc[:1]
    if not dropped:
        table[["valid_loss", "valid_score"]] = math.nan
    assert "not measured" in texts(epoch_curves_figure(table, "Training", "accuracy"))


def test_the_matrix_shows_counts_and_takes_any_name() -> None:
    counts = np.array([[7, 0], [3, 11]])
    words = texts(confusion_figure(counts, [NO_MATH, "x" * 30], NO_MATH))
    assert {"7", "0", "3", "11", NO_MATH, "x" * 23 + "…"} <= set(words)


@pytest.mark.parametrize(("k", "numbers"), [(40, True), (100, False)])
def test_numbers_go_where_there_is_no_room(k: int, numbers: bool) -> None:
    words = texts(
        confusion_figure(np.eye(k, dtype=np.int64) * 1234, [str(i) for i in range(k)], "")
    )
    assert ("1234" in words) is numbers


def test_an_empty_matrix_is_drawn() -> None:
    assert texts(confusion_figure(np.zeros((3, 3), np.int64), list("abc"), "nothing"))


def test_a_contact_sheet_has_a_row_a_class_and_says_where_there_is_none() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    rows = [(NO_MATH, [Tile(pixels, NO_MATH, True), Tile(pixels, "two", False)]), ("dog", [])]
    figure = contact_sheet_figure(rows, "Most wrong")
    assert {NO_MATH, "two", "None: dog", "Most wrong"} <= set(texts(figure))
    assert sum(len(axes.images) for axes in figure.axes) == 2
    assert texts(contact_sheet_figure([], "Nothing")) != []


def test_a_contact_sheet_of_very_many_classes_says_how_many_it_leaves_out() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    rows = [(str(i), [Tile(pixels, "one", True)]) for i in range(N_CLASSES_ON_A_SHEET + 3)]
    figure = contact_sheet_figure(rows, "Most wrong")
    assert sum(len(axes.images) for axes in figure.axes) == N_CLASSES_ON_A_SHEET
    assert "And 3 more classes." in texts(figure)


def test_captions_that_are_wider_than_their_picture_lack_their_middle() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    names = [f"→ {'W' * 40} 0.83", f"{'i' * 30} 0.5"]
    tiles = [Tile(pixels, f"{name}\nx.jpg", True) for name in names]
    figure = contact_sheet_figure([("", tiles)], "Most wrong")
    figure.draw_without_rendering()
    shown = {text.get_text(): text for text in figure.axes[0].texts if "\n" in text.get_text()}
    wide, narrow = shown
    assert wide.startswith("→ W") and "…" in wide and wide.endswith("W 0.83\nx.jpg")
    assert narrow == f"{names[1]}\nx.jpg"
    column = (PICTURE + GAP) * figure.dpi
    assert column / 2 < shown[wide].get_window_extent().width < column
