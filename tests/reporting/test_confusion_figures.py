"""The matrix of what is missed for what says which row and column stand for no label."""

import io

import numpy as np
import pytest

from headstart.reporting.confusion_figures import confusion_figure

COUNTS = np.array([[60, 2, 4], [1, 9, 0], [3, 0, 0]])


@pytest.mark.parametrize("last_is_none", [True, False])
def test_the_last_row_and_column_are_set_apart(last_is_none: bool) -> None:
    axes, bar = confusion_figure(COUNTS, ["a", "b", "(none)"], "", last_is_none).axes
    ends = [set(map(tuple, line.get_xydata().tolist())) for line in axes.lines]  # type: ignore[union-attr]
    assert ends == ([{(0, 1.5), (1, 1.5)}, {(1.5, 0), (1.5, 1)}] if last_is_none else [])
    assert bar.get_ylabel() == f"share of the {'row' if last_is_none else 'actual class'}"


def test_a_small_share_is_coloured_more_beside_no_label() -> None:
    def depth(last_is_none: bool) -> float:
        image = confusion_figure(COUNTS, list("abc"), "", last_is_none).axes[0].images[0]
        return float(np.asarray(image.norm(np.array([2 / 66]))).item())

    assert depth(False) == pytest.approx(2 / 66)
    assert depth(True) > 5 * depth(False)


def test_names_and_title_are_inside_the_figure_when_it_is_first_drawn() -> None:
    figure = confusion_figure(np.eye(17, dtype=np.int64), ["selective_logging"] * 17, "title")
    figure.savefig(io.BytesIO(), format="png")
    axes = figure.axes[0]
    words = [axes.title, axes._left_title, *axes.get_xticklabels(), *axes.get_yticklabels()]  # type: ignore[attr-defined]
    for word in words:
        box = word.get_window_extent()
        assert box.y0 >= 0 and box.y1 <= figure.bbox.height and box.x0 >= 0
