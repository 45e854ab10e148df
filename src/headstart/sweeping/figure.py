"""What decided the result of a sweep, as a figure."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from headstart.sweeping.study import Trial

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"
N_SLICES = 4
"""The keys whose values are drawn against the result."""


def sweep_figure(
    importances: Mapping[str, float], trials: Sequence[Trial], best: Trial, title: str
) -> Figure:
    """Importance of each key, and the log loss of the trials against the most important ones.

    Args:
        importances: key -> its part, the most important first; at least one.
        trials: those that were ended early are left out.
        best: is marked.
        title: heading of the figure.
    """
    keys = list(importances)
    slices = keys[:N_SLICES]
    figure = Figure(figsize=(12, 6.4), dpi=110, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", parse_math=False)
    grid = figure.add_gridspec(2, 3, width_ratios=[1.35, 1, 1])
    bars = figure.add_subplot(grid[:, 0])
    bars.barh(keys[::-1], [100 * importances[key] for key in keys[::-1]], color=BLUE)
    bars.set_xlabel("part in being among the best quarter, %")
    bars.spines[["top", "right"]].set_visible(False)
    done = [trial for trial in trials if trial.log_loss is not None and trial.settings]
    for n, key in enumerate(slices):
        axes = figure.add_subplot(grid[n // 2, 1 + n % 2])
        values = [trial.settings[key] for trial in done]
        if any(isinstance(value, str) for value in values):
            values = [str(value) for value in values]
        axes.scatter(values, [trial.log_loss for trial in done], s=14, color=GREY, label="trials")
        if best.settings:
            of_best = best.settings[key]
            place = str(of_best) if isinstance(values[0], str) else of_best
            axes.scatter([place], [best.log_loss], s=60, color=ORANGE, label=f"trial {best.number}")
        numbers = [value for value in values if isinstance(value, int | float)]
        if numbers and min(numbers) > 0 and max(numbers) >= 10 * min(numbers):
            axes.set_xscale("log")
        axes.set_xlabel(key, parse_math=False)
        if n % 2 == 0:
            axes.set_ylabel("log loss of valid")
        axes.spines[["top", "right"]].set_visible(False)
        if n == 0:
            axes.legend(frameon=False)
    return figure
