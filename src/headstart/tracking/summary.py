"""The description of a row in Markdown: its scores, data, network, and how to get it again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from headstart.tracking.headline import SCORES
from headstart.tracking.state import Row

N_CHANGES = 20  # changes that are listed
N_CLASSES = 20  # classes that are listed


def summary(row: Row, changed: Sequence[str], ms: int, files: Sequence[str]) -> str:
    """Return what `row` is, as a list.

    Args:
        row: the state.
        changed: what differs from the row before.
        ms: how long its stages worked, in milliseconds.
        files: paths of what is kept with the row, the report first; may be empty.
    """
    lines = [*_scores(row), *_changes(changed), *_data(row), *_network(row), *_classes(row)]
    if ms:
        lines.append(
            f"**Time**: {_duration(ms)}, the sum over all stages, also those not run again"
        )
    if files:
        lines.append(f"**Report**: `{Path(files[0]).name}` under *Artifacts*; `{files[0]}` on disk")
    return "\n".join(f"- {line}" for line in lines) + "\n"


def again(commit: str, experiment: str) -> str:
    """Return the commands that bring a row back, as one more line of its list.

    Args:
        commit: hash of the code; "" without a repository.
        experiment: name of the DVC experiment; "" if there is none.
    """
    if experiment:
        return f"- **Again**: `dvc exp apply {experiment}`, then `dvc repro`\n"
    checkout = f"`git checkout {commit[:10]}`, " if commit else ""
    return f"- **Again**: {checkout}`params.yaml` as under *Parameters*, `dvc repro`\n"


def _scores(row: Row) -> Iterator[str]:
    """One line a split: the score and that of TTA, with their intervals."""
    for split in ("valid", "test"):
        of_split = f"tta_evaluate.{split}"
        for score, called in SCORES.items():
            if f"{of_split}.plain.{score}" in row.metrics:
                plain, tta = (
                    _interval(row, f"{of_split}.{kind}.{score}") for kind in ("plain", "tta")
                )
                n = row.counts.get(f"{of_split}.plain.n_pictures", 0)
                yield f"**{split.title()} {called} {plain}**; TTA {tta}; {n:,} pictures"


def _interval(row: Row, key: str) -> str:
    """A score and its confidence interval."""
    value, low, high = (row.metrics.get(f"{key}{end}") for end in ("", "_ci_low", "_ci_high"))
    if value is None:
        return "none"
    return (
        f"{value:.4f}" if low is None or high is None else f"{value:.4f} ({low:.3f} to {high:.3f})"
    )


def _changes(changed: Sequence[str]) -> Iterator[str]:
    """What differs from the row before."""
    if changed:
        more = f" and {len(changed) - N_CHANGES} more" if len(changed) > N_CHANGES else ""
        named = ", ".join(f"`{change}`" for change in changed[:N_CHANGES])
        yield f"**Differs from the row before**: {named}{more}"


def _data(row: Row) -> Iterator[str]:
    """Where the pictures come from, and their number in each split."""
    splits = [
        f"{split} {row.counts[key]:,}"
        for split in ("train", "valid", "test")
        if (key := f"index_images.splits.{split}.n") in row.counts
    ]
    if splits:
        n = row.counts.get("index_images.n_pictures", 0)
        yield f"**Data**: `{row.params.get('dataset.source')}`, {n:,} pictures ({', '.join(splits)})"


def _classes(row: Row) -> Iterator[str]:
    """The classes, with their number of pictures in train."""
    of_class = "index_images.splits.train.per_class."
    classes = {k.removeprefix(of_class): n for k, n in row.counts.items() if k.startswith(of_class)}
    if classes:
        named = ", ".join(f"`{name}` {n:,}" for name, n in list(classes.items())[:N_CLASSES])
        more = ", …" if len(classes) > N_CLASSES else ""
        yield f"**Classes** ({len(classes):,}, pictures of train): {named}{more}"


def _network(row: Row) -> Iterator[str]:
    """The network, its input, and where its weights come from."""
    if name := row.params.get("backbone.name"):
        weights, px = row.params.get("backbone.weights"), row.params.get("backbone.size_px")
        yield f"**Network**: {name}, {px} px, weights `{weights}`"


def _duration(ms: int) -> str:
    seconds = ms / 1000
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.1f} s"
