"""Which part of a confusion matrix a page shows."""

import numpy as np

from headstart.reporting.matrix_grid import (
    FAINTEST,
    N_CLASSES_SHOWN,
    STRONGEST,
    by_errors,
    matrix_grid,
)

COUNTS = np.array([[8, 0, 0], [1, 6, 3], [0, 0, 0]])


def test_the_class_with_the_most_errors_is_first_and_equals_stay_in_order() -> None:
    assert by_errors(COUNTS) == [1, 2, 0]
    assert by_errors(np.eye(3, dtype=np.int64)) == [0, 1, 2]


def test_a_cell_has_its_count_its_share_of_the_row_and_a_tint() -> None:
    grid = matrix_grid(COUNTS, ["a", "b", "c"])
    assert (grid.names, grid.roomy, grid.n_left_out) == (["b", "c", "a"], True, 0)
    assert [[cell.n for cell in row] for row in grid.rows] == [[6, 3, 1], [0, 0, 0], [0, 0, 8]]
    assert [cell.share for cell in grid.rows[0]] == [0.6, 0.3, 0.1]
    assert [cell.tint for cell in grid.rows[2]] == [0, 0, STRONGEST]
    assert FAINTEST < grid.rows[0][2].tint < grid.rows[0][0].tint < STRONGEST


def test_of_many_classes_those_with_errors_are_shown_and_the_rest_is_counted() -> None:
    counts = np.diag(np.full(1000, 5))
    counts[990, 3], counts[3, 990], counts[7, 8] = 4, 2, 1
    for k in range(100, 140):
        counts[k, k + 500] = 1
    grid = matrix_grid(counts, [f"class {k}" for k in range(1000)])
    assert grid.names[:2] == ["class 3", "class 990"] and len(grid.names) == N_CLASSES_SHOWN
    assert [len(row) for row in grid.rows] == [N_CLASSES_SHOWN] * N_CLASSES_SHOWN
    assert (grid.n_classes, grid.n_left_out, grid.n_errors) == (1000, 960, 47)
    inside = sum(c.n for i, row in enumerate(grid.rows) for j, c in enumerate(row) if i != j)
    assert grid.n_errors_left_out == 47 - inside and not grid.roomy


def test_no_label_is_always_shown_last_and_is_no_class() -> None:
    counts = np.eye(61, dtype=np.int64)
    counts[60, 5] = 9
    grid = matrix_grid(counts, [*map(str, range(60)), "(none)"], last_is_none=True)
    assert (grid.names[0], grid.names[-1], len(grid.names)) == ("5", "(none)", N_CLASSES_SHOWN + 1)
    assert (grid.n_classes, grid.n_left_out, grid.n_errors_left_out) == (60, 20, 0)
