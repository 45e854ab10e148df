"""What decided the result of a sweep, as a figure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from headstart.sweeping.space import Choices, Dimension
from headstart.sweeping.study import Trial

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"
N_SLICES = 4
"""The keys whose values are drawn against the result."""
SHOWN = 0.95
"""The part of the trials whose log losses the axes show; the worst ones lie above."""


def sweep_figure(
    importances: Mapping[str, float], trials: Sequence[Trial], best: Trial,
    space: Sequence[Dimension], title: str,
) -> Figure:  # fmt: skip
    """Importance of each key, and the log loss of the trials against the most important ones.

    Args:
        importances: key -> its part, the most important first; at least one.
        trials: those that were ended early are left out.
        best: is marked.
        space: the ranges of all keys.
        title: heading of the figure.
    """
    figure = Figure(figsize=(12, 6.4), dpi=110, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", parse_math=False)
    grid = figure.add_gridspec(2, 3, width_ratios=[1.35, 1, 1])
    bars, keys = figure.add_subplot(grid[:, 0]), list(importances)
    bars.barh(keys[::-1], [100 * importances[key] for key in keys[::-1]], color=BLUE)
    bars.set_xlabel("part in being among the best quarter, %")
    bars.spines[["top", "right"]].set_visible(False)
    of_key = {dimension.key: dimension for dimension in space}
    done = [trial for trial in trials if trial.log_loss is not None and trial.settings]
    for n, key in enumerate(keys[:N_SLICES]):
        axes = figure.add_subplot(grid[n // 2, 1 + n % 2])
        _slice(axes, of_key[key], done, best)
        if n % 2 == 0:
            axes.set_ylabel("log loss of valid")
        if n == 0:
            axes.legend(frameon=False)
    return figure


def _slice(axes: Axes, dimension: Dimension, done: Sequence[Trial], best: Trial) -> None:
    """The log losses against the values of one key; choices stand side by side in their order."""

    def places(trials: Sequence[Trial]) -> list[float]:
        values = [trial.settings[dimension.key] for trial in trials]
        if isinstance(dimension, Choices):
            return [float(dimension.values.index(value)) for value in values]
        return [float(value) for value in values]

    losses = [trial.log_loss for trial in done if trial.log_loss is not None]
    axes.scatter(places(done), losses, s=14, color=GREY, label="trials")
    if best.settings and best.log_loss is not None:
        name = f"trial {best.number}"
        axes.scatter(places([best]), [best.log_loss], s=60, color=ORANGE, label=name)
    if isinstance(dimension, Choices):
        axes.set_xticks(range(len(dimension.values)), list(map(str, dimension.values)))
    elif dimension.log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(dimension.low / 1.2, dimension.high * 1.2)
    # A few hopeless trials must not flatten the others.
    low, high = np.quantile(np.array(losses, np.float64), [0, SHOWN])
    axes.set_ylim(low - 0.05 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9)
    axes.set_xlabel(dimension.key, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
