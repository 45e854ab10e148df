"""Beyond 50,000 pictures not all pairs are compared, and what matters is found all the same."""

from collections.abc import Callable

import numpy as np
import pytest
from bench.near_duplicates import generated
from numpy.typing import NDArray

from headstart.indexing import candidates
from headstart.indexing.candidates import Candidates, find_candidates
from headstart.project.report import Silent

N = 4000


@pytest.fixture(scope="module")
def signatures() -> NDArray[np.float16]:
    """The last tenth are mirrored copies of the first, with noise."""
    return generated(N)


def found_in(signatures: NDArray[np.float16]) -> Candidates:
    found = find_candidates(signatures, Silent())
    assert found is not None
    return found


def pairs_of(found: Candidates) -> set[tuple[int, int]]:
    ordered = np.sort(np.stack([found.whole, found.wider], axis=1))
    return {(int(first), int(second)) for first, second in ordered}


def test_near_centres_the_candidates_of_all_pairs_are_found(
    signatures: NDArray[np.float16],
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[[str], None],
) -> None:
    of_all = pairs_of(found_in(signatures))
    monkeypatch.setattr(candidates, "ALL_PAIRS", N - 1)
    near = pairs_of(found_in(signatures))
    assert near <= of_all and len(near) > 0.95 * len(of_all) > 1.5 * N
    assert {(number, number + N - N // 10) for number in range(N // 10)} <= near
    figures(f"{N // 10} of {N // 10} planted copies, {len(near):,} of {len(of_all):,} candidates")
    monkeypatch.setattr(candidates, "N_NEAREST", 1)
    assert len(pairs_of(found_in(signatures))) < 0.7 * len(of_all), "there are too few centres"


def test_slices_and_early_choices_change_nothing(
    signatures: NDArray[np.float16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ALL_PAIRS", 0)
    at_once = found_in(signatures)
    monkeypatch.setattr(candidates, "SLICE", 1024)  # a multiple of what is multiplied at once
    monkeypatch.setattr(candidates, "N_HITS", 500)
    assert pairs_of(found_in(signatures)) == pairs_of(at_once)


@pytest.mark.parametrize("n", [0, 1, 2, 65])
def test_few_pictures_have_few_centres(
    n: int, signatures: NDArray[np.float16], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_all = found_in(signatures[:n])
    monkeypatch.setattr(candidates, "ALL_PAIRS", -1)
    assert pairs_of(found_in(signatures[:n])) == pairs_of(of_all)
