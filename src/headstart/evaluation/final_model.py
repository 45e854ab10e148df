"""`4_checkpoints/model.safetensors`: the final network, and what was found for it on valid."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headstart.evaluation.predictions import Floats, Kind
from headstart.project.safetensors_file import metadata_of, read_whole, write_safetensors


def write_final_model(
    path: Path,
    checkpoint: Path,
    about: Mapping[str, Any],
    thresholds: Mapping[Kind, Sequence[float]],
    temperatures: Mapping[Kind, float],
    costs: Floats | None = None,
) -> None:
    """Write the tensors of a checkpoint with a new info about them; no tensor is decoded.

    `headstart.network.checkpoints.write_checkpoint` would give the same bytes.

    Args:
        path: the file to write.
        checkpoint: the file that holds the tensors.
        about: CheckpointInfo as JSON values.
        thresholds: kind of prediction -> K thresholds; empty for single_label.
        temperatures: kind of prediction -> what calibrates it; empty: nothing does.
        costs: (K, K) by which predictions are decided; None: the likeliest class is.

    Raises:
        DamagedError: the checkpoint is damaged.
    """
    found: dict[str, object] = {"thresholds": thresholds}
    if temperatures:
        found["temperatures"] = temperatures
    if costs is not None:
        found["costs"] = costs.tolist()
    text = json.dumps({**about, **found}, sort_keys=True)
    data = read_whole(checkpoint)
    write_safetensors(path, data, {**metadata_of(data), "headstart": text})
