import numpy as np
import pytest

from headstart.auditing.folds import deal

ALONE = [f"{i}" for i in range(60)]


def test_each_kind_is_spread_evenly() -> None:
    kinds = [0] * 40 + [1] * 17 + [2] * 3
    folds = deal(kinds, ALONE, 5, 0)
    for kind, n in ((0, [8] * 5), (1, [3, 3, 3, 4, 4]), (2, [0, 0, 1, 1, 1])):
        counts = np.bincount(folds[np.array(kinds) == kind], minlength=5)
        assert sorted(counts.tolist()) == n
    assert sorted(np.bincount(folds).tolist()) == [12] * 5


@pytest.mark.parametrize("seed", [0, 1])
def test_no_group_is_in_two_folds(seed: int) -> None:
    groups = [f"{i * i % 13}" for i in range(60)]
    folds = deal([i % 3 for i in range(60)], groups, 4, seed)
    assert len(set(zip(groups, folds.tolist(), strict=True))) == len(set(groups))
    assert set(folds) == {0, 1, 2, 3}


def test_the_seed_decides() -> None:
    one, again, other = (deal([0] * 60, ALONE, 5, seed).tolist() for seed in (0, 0, 1))
    assert one == again != other


def test_there_are_no_more_folds_than_groups() -> None:
    assert deal([0, 1, 0], ["x", "x", "y"], 5, 0).tolist() == [0, 0, 1]
    assert deal([0, 0], ["x", "x"], 5, 0).tolist() == [0, 0]
    assert deal([], [], 5, 0).tolist() == []
