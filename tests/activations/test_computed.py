from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.activations.computed import write_activations
from headstart.activations.stored import read_activations
from tests.activations.test_stored import VALUES, computation, write


@pytest.mark.parametrize(("n", "said"), [(4, "shorter"), (6, "longer")])
def test_a_wrong_number_of_rows_leaves_the_old_cache(tmp_path: Path, n: int, said: str) -> None:
    folder = tmp_path / "views"
    write(folder)
    with pytest.raises(ValueError, match=f"argument 2 is {said}"):
        write(folder, replace(computation(), rows=lambda view: np.zeros((n, 3), np.float32)))
    assert np.array_equal(read_activations(folder).first().features, VALUES)


def test_features_of_another_width_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a row of features has \(4,\); it must be \(3,\)"):
        wide = replace(computation(), rows=lambda view: np.ones((5, 4), np.float32))
        write_activations(tmp_path / "views", 32, [wide])
    assert not (tmp_path / "views").exists()
