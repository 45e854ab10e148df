"""Features of some pictures, as an array of them would be."""

import numpy as np
import pytest

from headstart.activations import rows
from headstart.activations.rows import FeatureRows, parts

CACHED = np.arange(2 * 7 * 3, dtype=np.float32).reshape(2, 7, 3)
CHOSEN = np.array([6, 1, 1, 4])


def test_they_are_indexed_as_an_array_of_them() -> None:
    found, wanted = FeatureRows(CACHED, CHOSEN), CACHED[:, CHOSEN]
    assert found.shape == wanted.shape and len(found) == 2
    views, pictures = np.array([1, 0, 1]), np.array([3, 0, 3])
    assert np.array_equal(found[views, pictures], wanted[views, pictures])
    assert found[1].shape == wanted[1].shape and len(found[1]) == 4
    assert np.array_equal(found[1][1:3], wanted[1][1:3])
    assert np.array_equal(np.array(found[0]), wanted[0])


@pytest.mark.parametrize("in_memory", [True, False])
def test_parts_are_all_of_it(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "N_ROWS", 3)
    view = CACHED[0, CHOSEN] if in_memory else FeatureRows(CACHED, CHOSEN)[0]
    found = list(parts(view))
    assert [len(part) for part in found] == [3, 1]
    assert np.array_equal(np.concatenate(found), CACHED[0, CHOSEN])
    assert [part.shape for part in parts(CACHED[0, :0])] == [(0, 3)]
