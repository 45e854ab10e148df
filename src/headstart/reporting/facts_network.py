"""What was trained: the network, its weights, its head, its input."""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]


def network_facts(params: Values, n_numbers: int, about: Values) -> list[tuple[str, str]]:
    """Say what was trained, as (what, how) pairs.

    Args:
        params: all sections of params.yaml.
        n_numbers: of the backbone's weights, from the metrics of fetch_weights.
        about: what the final checkpoint says about itself.
    """
    frame, runtime = about["frame"], about["params"].get("runtime", {})
    crop = f"{frame['crop']} crop of {frame['crop_frac']:g} of the shorter side"
    if frame["crop"] == "squash":
        crop = f"the whole picture squashed, {frame['crop_frac']:g} of both sides"
    hidden = f"{about['hidden_units']} hidden units" if about["hidden_units"] else "no hidden layer"
    dropout = " and ".join(f"{value:g}" for value in about["dropout"])
    kinds = {"network": "one network", "ensemble": "several networks, averaged", "head": "a head"}
    rows = [
        ("network", f"{about['architecture']}, {n_numbers / 1e6:,.1f} million weights"),
        ("weights from", str(params["backbone"]["weights"])),
        ("digest of these weights", about["weights"]),
        ("head", f"{hidden}, dropout {dropout}, {len(about['classes'])} classes"),
        ("input", f"{about['size_px']} × {about['size_px']} px, {crop}"),
        ("result", f"{kinds[about['kind']]}, trained by {', '.join(about['history'])}"),
        ("training computed in", str(runtime.get("training_precision", ""))),
        ("prediction computed in", str(about["precision"])),
        ("device of the training", str(runtime.get("device", ""))),
    ]
    return [(what, how) for what, how in rows if how]
