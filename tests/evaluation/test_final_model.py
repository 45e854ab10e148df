"""The final model is a checkpoint of ours, with the bytes that write_checkpoint would give it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from headstart.evaluation.final_model import write_final_model
from headstart.evaluation.predictions import Kind
from headstart.network.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from tests.network.test_checkpoints import INFO, TENSORS
from tests.small_networks import PREPROCESSING

THRESHOLDS: Mapping[Kind, tuple[float, ...]] = {"tta": (0.1, 1 / 3), "plain": (0.25, 0.5)}
TEMPERATURES: Mapping[Kind, float] = {"tta": 0.7, "plain": 4 / 3}


@pytest.mark.parametrize("costs", [None, [[0.0, 5.0], [1.0, 0.0]]])
@pytest.mark.parametrize("temperatures", [{}, TEMPERATURES])
@pytest.mark.parametrize("thresholds", [{}, THRESHOLDS])
def test_it_has_the_bytes_of_a_checkpoint_that_knows_more(
    thresholds: Mapping[Kind, tuple[float, ...]],
    temperatures: Mapping[Kind, float],
    costs: list[list[float]] | None,
    tmp_path: Path,
) -> None:
    trained = Checkpoint(info=INFO, tensors=TENSORS)
    scored = trained.as_scored(PREPROCESSING.model_copy(update={"pillow": "1.0"}), "bfloat16")
    write_checkpoint(tmp_path / "finetuned.safetensors", trained)
    about = json.loads(json.dumps(scored.info.model_dump(mode="json")))
    path = tmp_path / "new/model.safetensors"
    matrix = None if costs is None else np.array(costs)
    trained_file = tmp_path / "finetuned.safetensors"
    write_final_model(path, trained_file, about, thresholds, temperatures, matrix)
    found: dict[str, object] = {"thresholds": dict(thresholds), "temperatures": dict(temperatures)}
    if costs is not None:
        found["costs"] = tuple(map(tuple, costs))
    info = scored.info.model_copy(update=found)
    assert read_checkpoint(path).info == info
    write_checkpoint(tmp_path / "expected", Checkpoint(info=info, tensors=TENSORS))
    assert path.read_bytes() == (tmp_path / "expected").read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]
