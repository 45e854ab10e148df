"""The table of bench.label_errors."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def label_errors_table(found: Mapping[str, Any]) -> str:
    """What is found of planted label errors in each set, sums over the seeds, in Markdown."""
    lines = [
        "| set | pictures, classes | planted | right among as many first | flagged, right of them "
        "| estimated | confident learning: flagged, right of them |",
        "|---" * 7 + "|",
    ]
    groups: dict[tuple[str, float], list[Row]] = {}
    for row in found["label_errors"]:
        groups.setdefault((row["set"], row["frac"]), []).append(row)
    for (name, frac), rows in groups.items():
        planted = "none, as given" if not frac else f"{frac:.0%}, {_sum(rows, 'n_planted')}"
        first = f"{_sum(rows, 'n_first') / _sum(rows, 'n_planted'):.2f}" if frac else ""
        shares = sorted({f"{row['share']:.1%}" for row in rows}, key=lambda text: float(text[:-1]))
        cells = [
            name, f"{rows[0]['n']:,}, {rows[0]['n_classes']}", planted, first,
            _flagged(rows, "n_flagged"),
            shares[0] if len(shares) == 1 else f"{shares[0]} to {shares[-1]}",
            _flagged(rows, "n_confident") if "n_confident" in rows[0] else "",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    about = found["machine"]
    n_seeds = max(row["seed"] for row in found["label_errors"]) + 1
    return "\n".join(
        [
            *lines, "",
            f"Sums over {n_seeds} draws of the wrong labels; textile as in its project, the others at "
            f"{found['size_px']} px; {found['when']}, {about['cores']} cores of {about['chip']}, "
            f"torch {about['torch']}. `{found['command']}`",
        ]
    )  # fmt: skip


def _sum(rows: Sequence[Row], key: str) -> int:
    return int(sum(row[key] for row in rows))


def _flagged(rows: Sequence[Row], key: str) -> str:
    """How many are flagged, and the fraction of them that were planted, where any were."""
    n, right = _sum(rows, key), _sum(rows, f"{key}_right")
    if not _sum(rows, "n_planted"):
        return f"{n:,}"
    return f"{n:,}, {right / n:.2f}" if n else "0"
