"""The table of bench.zero_tuning, and the statistics in it."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from headstart.evaluation.intervals import bootstrap_mean

Row = Mapping[str, Any]
RANKED = {"headstart": "tta", "fastai": "fastai_tta", "floor": "floor"}  # who -> its scores


def reached(checkpoints: Sequence[Sequence[Any]], score: float) -> float | None:
    """Seconds until the first of the checkpoints (name, seconds, score) with at least `score`."""
    return min((seconds for _, seconds, found in checkpoints if found >= score), default=None)


def pooled(rows: Sequence[Row]) -> pd.DataFrame:
    """The scores of each picture, by its id; one that several seeds drew has its mean once."""
    parts = [
        pd.DataFrame({key: np.array(text.split(), float) for key, text in row["scores"].items()})
        .assign(id=row["pictures"].split())
        for row in rows
    ]  # fmt: skip
    return pd.concat(parts).groupby("id").mean()


def difference(scores: pd.DataFrame, other: str) -> tuple[float, float, float]:
    """Mean of our TTA less `other` over pictures, and its paired 95 % bootstrap interval."""
    values = (scores["tta"] - scores[other]).to_numpy(np.float64)
    low, high = bootstrap_mean(values, 10_000, 0.95, np.random.default_rng(0))
    return float(values.mean()), low, high


def mean_ranks(means: Sequence[Sequence[float]]) -> list[float]:
    """Mean rank of each column over the rows, 1 for the highest; equal ones share a rank."""
    return [float(rank) for rank in stats.rankdata(-np.array(means), axis=1).mean(axis=0)]


def zero_table(found: Mapping[str, Any]) -> str:
    """Scores, paired differences and seconds of each set, then the mean ranks, in Markdown."""
    rows = found["zero_tuning"]
    sets = {name: [row for row in rows if row["set"] == name] for name in (r["set"] for r in rows)}
    lines = [
        "| set | seeds, pictures | score | headstart | fastai | floor | headstart less fastai "
        "| headstart less floor | headstart, s | fastai, s | until fastai's score, s | times shorter |",
        "|---" * 12 + "|",
    ]
    means = []
    for name, of_set in sets.items():
        scores = pooled(of_set)
        mean = scores.mean()
        means.append([float(mean[key]) for key in RANKED.values()])
        cells = [
            name,
            f"{len(of_set)}, {len(scores)}",
            of_set[0]["score"],
            f"{mean['plain']:.3f} / {mean['tta']:.3f}",
            f"{mean['fastai']:.3f} / {mean['fastai_tta']:.3f}",
            f"{mean['floor']:.3f}",
            *(_signed(*difference(scores, other)) for other in ("fastai_tta", "floor")),
            *(f"{_median(of_set, key):.0f}" for key in ("seconds", "fastai_seconds")),
            *_until(of_set),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    ranks = ", ".join(
        f"{who} {rank:.2f}" for who, rank in zip(RANKED, mean_ranks(means), strict=True)
    )
    about = found["machine"]
    lines += [
        "",
        f"Mean rank over the sets: {ranks}. Scores of test, plain / with TTA; differences "
        "with TTA, paired 95 % intervals over pictures; seconds are medians over seeds. At most "
        f"{found['n_train']} pictures of train, {found['n_valid']} of valid and {found['n_test']} "
        f"of test, shorter sides {found['stored_px']} px (textile {found['textile_px']}). "
        f"{found['when']}, {about['cores']} cores of {about['chip']}, torch "
        f"{about['torch']}, fastai {about['fastai']}. `{found['command']}`",
    ]
    return "\n".join(lines)


def _signed(mean: float, low: float, high: float) -> str:
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def _median(rows: Sequence[Row], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))


def _until(rows: Sequence[Row]) -> tuple[str, str]:
    """Seconds until our first checkpoint with fastai's final score; fastai's seconds by them.

    Both are medians over the seeds in which a checkpoint has it.
    """
    pairs = [(reached(row["checkpoints"], row["fastai_valid"]), row) for row in rows]
    seconds = [(s, row["fastai_seconds"] / s) for s, row in pairs if s is not None]
    if not seconds:
        return "never", ""
    some = f" ({len(seconds)} of {len(rows)} seeds)" if len(seconds) < len(rows) else ""
    until, times = (statistics.median(values) for values in zip(*seconds, strict=True))
    return f"{until:.0f}{some}", f"{times:.1f}"
