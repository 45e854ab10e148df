"""What a look at a folder found, on one screen of a terminal."""

from collections.abc import Mapping, Sequence
from itertools import islice

from headstart.commands.choices import Findings
from headstart.commands.survey import Survey

N_CLASSES, N_NAMED = 8, 3


def told(looked: Survey, found: Findings) -> str:
    """The findings, one row each; what there is nothing to say about has no row."""
    rows = {
        "archive" if looked.archive else "folder": str(looked.origin),
        "files": _in_parquet(looked, found),
        "labels": f"{found.reason}; {found.labels.get('task', 'single_label').replace('_', ' ')}",
        "pictures": f"{len(looked.paths):,}, {_counts(looked.modes)}",
        "shorter side": _quantiles(looked.short_px, " px"),
        "long : short": _quantiles(looked.aspect, ""),
        "classes": _classes(found.per_class),
        "splits": _counts(looked.splits),
        "folders": " ".join(looked.layout.notes()),
        "unreadable": _named([f"{path} ({why})" for path, why in looked.unreadable]),
        "same content": _named([" = ".join(paths) for paths in looked.copies]),
        "other files": _counts(looked.others),
        "took": f"{looked.seconds:.1f} s",
    }
    return "\n".join(f"{name:<13} {text}" for name, text in rows.items() if text)


def _in_parquet(looked: Survey, found: Findings) -> str:
    if not looked.in_parquet:
        return ""
    n_splits = len(looked.splits)
    return (
        f"Parquet with {len(looked.paths):,} pictures inside: {n_splits} "
        f"{'split' if n_splits == 1 else 'splits'}, {len(found.per_class):,} classes"
    )


def _quantiles(quantiles: Sequence[float], unit: str) -> str:
    low, middle, high = quantiles
    return f"median {middle}{unit}; 9 of 10 from {low} to {high}{unit}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def _classes(per_class: Mapping[str, int]) -> str:
    """The number of classes, and the largest and smallest of them with their pictures."""
    largest_first = sorted(per_class.items(), key=lambda item: (-item[1], item[0]))
    if len(largest_first) > N_CLASSES:
        ends = [*largest_first[: N_CLASSES // 2], ("...", 0), *largest_first[-N_CLASSES // 2 :]]
    else:
        ends = largest_first
    listed = ", ".join(f"{name} {n:,}" if n else name for name, n in ends)
    return f"{len(per_class):,}: {listed}"


def _named(findings: Sequence[str]) -> str:
    """The number of findings, and the first few."""
    if not findings:
        return ""
    more = ", ..." if len(findings) > N_NAMED else ""
    return f"{len(findings):,}: {', '.join(islice(findings, N_NAMED))}{more}"
