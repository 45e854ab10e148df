"""The spread of repeated experiments: mean, sample standard deviation, lowest, highest."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STATISTICS = ("n", "mean", "sd", "lowest", "highest")


@dataclass(frozen=True)
class Spread:
    """One metric over repeated experiments.

    Attributes:
        metric: dotted key, the stage first.
        values: one per experiment, in order; None if it failed or has no such metric.
    """

    metric: str
    values: tuple[float | None, ...]

    @property
    def known(self) -> list[float]:
        """The values that are not None."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float | None:
        """Arithmetic mean; None without a value."""
        return statistics.fmean(self.known) if self.known else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation (n - 1 in the denominator); None with less than two values."""
        return statistics.stdev(self.known) if len(self.known) > 1 else None

    def row(self) -> list[float | None]:
        """What STATISTICS names, then the value of each experiment."""
        low, high = min(self.known, default=None), max(self.known, default=None)
        return [len(self.known), self.mean, self.sd, low, high, *self.values]


def spreads(metrics: Sequence[str], results: Sequence[Mapping[str, float]]) -> list[Spread]:
    """The spread of each of `metrics` that at least one experiment has, in their order.

    Args:
        metrics: dotted keys.
        results: dotted key -> number, one mapping per experiment; empty if it failed.
    """
    found = [Spread(key, tuple(result.get(key) for result in results)) for key in metrics]
    return [spread for spread in found if spread.known]


def mean_and_sd(values: Sequence[float], digits: int = 4) -> str:
    """A text such as 0.9073 (0.0038); one value has no standard deviation."""
    spread = Spread("", tuple(values))
    text = f"{spread.mean:.{digits}f}"
    return f"{text} ({spread.sd:.{digits}f})" if len(values) > 1 else text


def spread_table(labels: Sequence[str], rows: Sequence[Spread]) -> str:
    """A table for the terminal: one line per metric, numbers to 4 decimals, `-` where there is none.

    Args:
        labels: heads of the experiments' columns.
        rows: spreads with as many values as there are labels.
    """
    head = ["metric", *STATISTICS, *labels]
    cells = [[row.metric, str(len(row.known)), *map(_number, row.row()[1:])] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in (head, *cells)
    )


def spread_csv(names: Sequence[str], rows: Sequence[Spread]) -> str:
    """The table as CSV, unrounded; a cell is empty where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric", *STATISTICS, *names])
    writer.writerows([row.metric, *row.row()] for row in rows)
    return text.getvalue()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
