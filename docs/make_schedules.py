"""Draw docs/schedules.png: what each schedule does to the rate and the momentum.

Run: python docs/make_schedules.py
"""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from headstart.training.phases import PhaseParams

N_BATCHES = 100  # steps of an epoch
MOMENTUM = 0.95
COMMON = {"trainable": "all", "size_px": "full", "lr": 1.0}
SHOWN: dict[str, dict[str, Any]] = {
    "sgdr: 3 cycles, cycle_mult 2, warmup_frac 0.05": {
        "schedule": "sgdr", "cycles": 3, "cycle_len": 1, "cycle_mult": 2, "warmup_frac": 0.05,
    },
    "clr: 2 cycles, lr_div 20, rise_frac 0.1": {
        "schedule": "clr", "cycles": 2, "cycle_len": 3, "cycle_mult": 1, "lr_div": 20.0,
        "rise_frac": 0.1, "momentum_low": 0.85,
    },
    "one_cycle: lr_div 10, tail_frac 0.1": {
        "schedule": "one_cycle", "cycles": 1, "cycle_len": 7, "cycle_mult": 1, "lr_div": 10.0,
        "tail_frac": 0.1, "momentum_low": 0.85,
    },
}  # fmt: skip


def schedules_figure() -> Figure:
    """A column a schedule: the factor on the rate above, the momentum below."""
    figure = Figure(figsize=(12, 4.2), dpi=110, layout="constrained")
    grid = figure.subplots(2, len(SHOWN), sharex="col", sharey="row", height_ratios=[2, 1])
    for (title, values), (above, below) in zip(SHOWN.items(), grid.T, strict=True):
        steps = PhaseParams.model_validate(COMMON | values).steps(N_BATCHES, MOMENTUM)
        epochs = [step / N_BATCHES for step in range(len(steps))]
        above.plot(epochs, [step.lr for step in steps], color="#2b6cb0")
        below.plot(epochs, [step.momentum or MOMENTUM for step in steps], color="#dd6b20")
        above.set_title(title, fontsize=10, loc="left")
        below.set_xlabel("epoch")
    grid[0, 0].set_ylabel("rate / highest rate")
    grid[1, 0].set_ylabel("momentum")
    for axes in grid.flat:
        axes.grid(color="#e2e8f0", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    schedules_figure().savefig(
        Path(__file__).with_name("schedules.png"), metadata={"Software": None}
    )
