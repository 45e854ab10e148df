"""Lays one small picture onto the part of another that it may show, and says how alike they are.

Axis letters: M pairs, P cells a side of a signature, G points a side of the grid that is compared.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.pictures.signature import SIDE

Floats = NDArray[np.float32]

N_POINTS = 20  # G
N_STEPS = 5
N_FIRST_STEPS = 2  # after which most pairs of unlike pictures are given up
HOPELESS = 0.5  # correlation, below which they are
MAX_STEP = 0.06  # of the side
LEAST_HALF, OUTSIDE = 0.38, 0.02  # of the side: half of a window, and how far it may lie outside
GRID = ((np.arange(N_POINTS) + 0.5) / N_POINTS * 2 - 1).astype(np.float32)  # in (-1, 1)
EPS = np.float32(1e-6)


class Aligned(NamedTuple):
    """How M pairs lie on one another.

    Attributes:
        similarity: (M,) correlation of the steps between neighbouring points, in [-1, 1]; 0 where the
            pair was given up. The root of each step counts, so that a frame or a cloud does not
            outweigh all the rest.
        peak: (M,) similarity less half of its mean with one of the two moved by a point up, down, left
            or right. Only details that coincide raise it: that of a copy which lost nearly all of its
            contrast exceeds that of two shots with one layout, whose similarity may be higher.
        place: (M, 4) the window that the first shows of the second: middle and half of the height,
            middle and half of the width; fractions of its side.
    """

    similarity: Floats
    peak: Floats
    place: Floats


def align(whole: NDArray[np.float16], wider: NDArray[np.float16], windows: Floats) -> Aligned:
    """Find the window of `wider` that shows the same as `whole`, from a window near it.

    Brightness and contrast do not count. Each step solves for the shift and the scale of both axes
    that would bring the pictures nearer, if grey levels changed evenly around each point.

    Source: Lucas and Kanade, An Iterative Image Registration Technique, IJCAI 1981.

    Args:
        whole, wider: (M, P, P) signatures.
        windows: (M, 4) top, bottom, left and right of the first guess, fractions of the side.
    """
    first, second = _softened(whole), _softened(wider)
    top, bottom, left, right = windows.T
    place = np.stack(
        [(top + bottom) / 2, (bottom - top) / 2, (left + right) / 2, (right - left) / 2], axis=1
    ).astype(np.float32)
    target = _sampled(first, np.full((len(first), 4), 0.5, np.float32))
    wanted = _standardized(target)[0]
    similarity, peak = np.zeros((2, len(first)), np.float32)
    alive = np.arange(len(first))
    for step in range(N_STEPS):
        seen, spread = _standardized(_sampled(second[alive], place[alive]))
        if step == N_FIRST_STEPS:
            near = (seen * wanted[alive]).mean(axis=(1, 2)) > HOPELESS
            alive, seen, spread = alive[near], seen[near], spread[near]
        place[alive] = _moved(place[alive], seen, wanted[alive])
    seen = _sampled(second[alive], place[alive])
    similarity[alive], peak[alive] = _similarity(seen, target[alive])
    return Aligned(similarity, peak, place)


def _softened(signatures: NDArray[np.float16]) -> Floats:
    """(M, P, P): each cell with its neighbours, 1 2 1, as a copy in another size is softer too."""
    cells = np.pad(signatures.astype(np.float32), ((0, 0), (1, 1), (1, 1)), "edge")
    rows = (cells[:, :-2] + 2 * cells[:, 1:-1] + cells[:, 2:]) / 4
    soft = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return soft.astype(np.float32, copy=False)


def _sampled(cells: Floats, place: Floats) -> Floats:
    """(M, G, G): the grey levels at the points of a grid in each window, between cells linearly."""
    rows, columns = _weights(place[:, 0], place[:, 1]), _weights(place[:, 2], place[:, 3])
    return (rows @ cells @ columns.transpose(0, 2, 1)).astype(np.float32, copy=False)


def _weights(middle: Floats, half: Floats) -> Floats:
    """(M, G, P): the weight of each cell in each point of a side."""
    points = (middle[:, None] + half[:, None] * GRID) * SIDE - 0.5
    points = np.clip(points, 0, SIDE - 1)[:, :, None]
    weights: Floats = np.maximum(0, 1 - np.abs(points - np.arange(SIDE, dtype=np.float32)))
    return weights


def _standardized(levels: Floats) -> tuple[Floats, Floats]:
    """(M, G, G) of mean 0 and deviation 1, and the deviations (M, 1, 1)."""
    levels = levels - levels.mean(axis=(1, 2), keepdims=True)
    spread = np.sqrt((levels * levels).mean(axis=(1, 2), keepdims=True)) + EPS
    return levels / spread, spread


def _moved(place: Floats, seen: Floats, wanted: Floats) -> Floats:
    """The windows after one step."""
    down, across = np.gradient(seen, axis=(1, 2))
    # from steps of the grid to fractions of the side
    down *= N_POINTS / (2 * place[:, 1, None, None])
    across *= N_POINTS / (2 * place[:, 3, None, None])
    slopes = np.stack([down, down * GRID[:, None], across, across * GRID], axis=1)
    slopes = slopes.reshape(len(place), 4, N_POINTS**2)  # (M, 4, G * G)
    slopes -= slopes.mean(axis=2, keepdims=True)
    squares = slopes @ slopes.transpose(0, 2, 1)
    size = np.trace(squares, axis1=1, axis2=2)[:, None, None]
    steady = squares + (0.003 * size + EPS) * np.eye(4, dtype=np.float32)
    missing = (wanted - seen).reshape(len(place), N_POINTS**2, 1)
    step = np.linalg.solve(steady, slopes @ missing)[:, :, 0]
    place = place + np.clip(step, -MAX_STEP, MAX_STEP)
    place[:, 1::2] = np.clip(place[:, 1::2], LEAST_HALF, 0.5 + OUTSIDE)
    half = place[:, 1::2]
    place[:, 0::2] = np.clip(place[:, 0::2], half - OUTSIDE, 1 + OUTSIDE - half)
    return place


def _similarity(some: Floats, others: Floats) -> tuple[Floats, Floats]:
    """(M,) and (M,): similarity and peak as `Aligned` has them."""
    both = moved = squares = other_squares = np.float32(0)
    for axis in (1, 2):
        one, other = (_rooted(np.diff(levels, axis=axis)) for levels in (some, others))
        both = both + (one * other).sum(axis=(1, 2))
        moved = moved + (one * _mean_of_neighbours(other)).sum(axis=(1, 2))
        squares = squares + (one * one).sum(axis=(1, 2))
        other_squares = other_squares + (other * other).sum(axis=(1, 2))
    size = np.sqrt(squares * other_squares) + EPS
    return both / size, (both - moved / 2) / size


def _mean_of_neighbours(steps: Floats) -> Floats:
    """(M, G, G'): the mean of the four around each; beyond the edge they are 0."""
    wide = np.pad(steps, ((0, 0), (1, 1), (1, 1)))
    mean: Floats = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1]
    mean += wide[:, 1:-1, :-2]
    mean += wide[:, 1:-1, 2:]
    mean /= 4
    return mean


def _rooted(steps: Floats) -> Floats:
    rooted: Floats = np.sign(steps) * np.sqrt(np.abs(steps))
    return rooted
