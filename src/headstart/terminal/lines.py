"""The line that each stage prints at its end: what it did, and the number that matters.

No output depends on these lines, so no stage declares this module. An edit of it reruns nothing.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from headstart.labels.scoring_note import choice_of_final, valid_chose
from headstart.labels.task import SCORE

if TYPE_CHECKING:
    import pandas as pd

    from headstart.training.lr_curve import Suggestion

Values = Mapping[str, Any]
"""The metrics of a stage, nested as in its file under metrics/."""

SCORES = {name.lower(): name for name in SCORE.values()}
"""Key of a score in the metrics -> its name; a stage's metrics hold one of them."""
MAX_REASON = 50  # characters of the reason why a range test suggests no rate
MAX_NAME = 20  # last characters of a file's name


def line(stage: str, sentence: str, seconds: float, where: Path) -> str:
    """What `stage` did, how long it took, and the file that shows more."""
    return f"{stage}: {sentence} ({seconds:,.1f} s; {where})"


def goes_on(stage: str, where: str) -> str:
    """The line of a stage that goes on where an earlier run was broken off."""
    return f"{stage} goes on {where}."


def not_here(key: str, source: str) -> str:
    """The line for a source that is absent on this machine."""
    return f"{key} is {source}, which is not here. What was made of it stays as it is."


def tell(text: str) -> None:
    """Write lines to stdout; no error where stdout is closed or its encoding lacks a character."""
    with suppress(OSError):
        sys.stdout.flush()
        os.write(1, f"{text}\n".encode(sys.stdout.encoding or "utf-8", "replace"))


def fetch_images(counts: Values) -> str:
    """How many files, and how large they are."""
    return f"{_n(counts['n_files'], 'file')}, {_mb(counts['n_bytes'])}"


def fetch_weights(name: str, counts: Values) -> str:
    """Which network, and how large it is."""
    return f"{name}, {counts['n_numbers'] / 1e6:,.1f} million weights"


def index_images(counts: Values) -> str:
    """How many pictures each split has, and in how many groups all are, where they are grouped."""
    splits = ", ".join(_split(name, values) for name, values in counts["splits"].items())
    classes = f"{counts['n_classes']:,} class" + ("es" if counts["n_classes"] != 1 else "")
    if "n_groups" in counts:
        classes += f" in {_n(counts['n_groups'], 'group')}"
    n_problems = counts["n_problems"]["total"]
    aside = f"; {_n(n_problems, 'file')} set aside" if n_problems else ""
    return f"{_n(counts['n_pictures'], 'picture')} of {classes}: {splits}{aside}"


def stored(counts: Values) -> str:
    """For resize and both precompute stages: how many pictures, views and sizes."""
    views = f"{_n(counts['n_views'], 'view')} of " if "n_views" in counts else ""
    n_sizes = counts.get("n_sizes", 1)
    sizes = f" in {n_sizes} sizes" if n_sizes > 1 else ""
    return f"{views}{_n(counts['n_pictures'], 'picture')}{sizes}, {_mb(counts['n_bytes'])}"


def range_test(found: "Suggestion") -> str:
    """The rate that it suggests, or why it suggests none."""
    if found.lr is not None:
        return f"suggests lr {found.lr:.3g} ({found.reason})"
    short = len(found.reason) <= MAX_REASON
    return f"suggests no lr: {found.reason if short else found.reason.split(',')[0]}"


def trained(metrics: Values) -> str:
    """For a head: number of epochs, learning rate, and score on valid."""
    rate = f" at lr {metrics['lr']:.3g}" if "lr" in metrics else ""
    return f"{_n(metrics['n_epochs'], 'epoch')}{rate} → {_judged(metrics)}"


def audited(counts: Values, audit: "pd.DataFrame") -> str:
    """How many pictures probably have a wrong label, and the first of them.

    Args:
        counts: metrics of audit-labels.
        audit: its table, the most doubtful label first.
    """
    n, of = counts["n_flagged"], f"of {counts['n_pictures']:,} pictures doubtful"
    if not n:
        return f"none {of}"
    return f"{n:,} {of}; the first: {PurePosixPath(audit['path'].iloc[0]).name[-MAX_NAME:]}"


def fine_tuned(metrics: Values) -> str:
    """The score of the network before and after, and which epoch was kept."""
    n, kept = metrics["n_epochs"], metrics["kept_epoch"]
    if "start" not in metrics:
        return trained(metrics)
    if "worse_first_cycle" in metrics:
        measure, values = next(iter(metrics["worse_first_cycle"].items()))
        name = SCORES.get(measure, "log loss")
        change = f"{name} {values['before']:.4f} against {values['after']:.4f}"
        return f"stopped after its first cycle: the head is better ({change}, beyond noise) and is kept"
    if kept == 0:
        return f"no cycle beat the start, which is kept: valid {_score(metrics['start'])}"
    epochs = f"epoch {kept} of {n}" if kept < n else f"{_n(n, 'epoch')} at lr {metrics['lr']:.3g}"
    change = f"valid {_score(metrics['start'])} → {_value(metrics['kept'])}"
    return f"{epochs}: {change}{', worse than before' if metrics['worse_than_start'] else ''}"


def predicted(counts: Values) -> str:
    """How many checkpoints predicted how many views and pictures."""
    views = f"{_n(counts['n_views'], 'view')} of {_n(counts['n_pictures'], 'picture')}"
    return f"{_n(counts['n_checkpoints'], 'checkpoint')} on {views}"


def scored(metrics: Values) -> str:
    """The scores of the final checkpoint."""
    found = [
        f"{split} {_score(metrics[split]['plain'])}, TTA {_value(metrics[split]['tta'])}"
        for split in ("valid", "test")
        if split in metrics
    ]
    return "; ".join(found) or "no score: no picture of valid or test has a label"


def confused(metrics: Values) -> str:
    """How many pictures are predicted wrong."""
    wrong = f"{metrics['n_errors']:,} of {_n(metrics['n_pictures'], 'picture')}"
    if "n_missed" not in metrics:
        return f"{wrong} wrong"
    labels = f"{metrics['n_missed']:,} labels missed, {metrics['n_extra']:,} extra"
    return f"{wrong} with a wrong label: {labels}"


def submitted(metrics: Values) -> str:
    """How many rows the submission has."""
    n_rows = metrics["n_rows"]
    return _n(n_rows, "row") if n_rows else "no row: test has no unlabelled picture"


def published(run_id: str | None, params: Values, metrics: Values, reports: Sequence[Path]) -> str:
    """The last lines of a run: its row, the scores with their intervals, the page to open.

    Args:
        run_id: of the row in MLflow; None where MLflow does not answer.
        params: all sections.
        metrics: of all stages, by their names in snake case.
        reports: the page first; may be empty.
    """
    where = "in MLflow (`mlflow ui`)" if run_id else "kept for MLflow (`headstart sync`)"
    lines, scores = (
        [f"publish-run: the row of this state is {where}"],
        metrics.get("tta_evaluate", {}),
    )
    for split in ("valid", "test"):
        if split in scores:
            plain, tta = scores[split]["plain"], scores[split]["tta"]
            level = 100 * params["tta_evaluate"]["confidence"]
            both = f"{_score(plain)} {_interval(plain)}, TTA {_value(tta)} {_interval(tta)}"
            of = f"{level:.3g} %, {_n(plain['n_pictures'], 'picture')}"
            if split == "valid" and valid_chose(params):
                of += ", which chose it"
            lines.append(f"{split + ':':<6} {both}; {of}")
            if split == "valid":
                lines += _unchosen(choice_of_final(scores, metrics.get("unfreeze_finetune", {})))
    return "\n".join([*lines, *(f"report: {path}" for path in reports[:1])])


def _unchosen(choice: Values) -> list[str]:
    """A line on the score without what the choice of the weights by valid flatters, if it is known."""
    if not choice:
        return []
    claimed = choice[f"{_key(choice)}_claimed"]
    return [
        f"       {_score(choice)} in place of {claimed:.4f} where the epoch is chosen without the "
        "scored pictures"
    ]


def _judged(metrics: Values) -> str:
    """Score and loss of the valid split; without one, the loss of train."""
    if "valid" not in metrics:
        return f"train loss {metrics['train_loss']:.4f}, without a valid split"
    return f"valid {_score(metrics['valid'])}, log loss {metrics['valid']['log_loss']:.4f}"


def _score(values: Values) -> str:
    return f"{SCORES[_key(values)]} {_value(values)}"


def _value(values: Values) -> str:
    return f"{values[_key(values)]:.4f}"


def _interval(values: Values) -> str:
    key = _key(values)
    return f"({values[f'{key}_ci_low']:.3f} to {values[f'{key}_ci_high']:.3f})"


def _key(values: Values) -> str:
    return next(key for key in SCORES if key in values)


def _split(name: str, values: Values) -> str:
    n, n_labelled = values["n"], values["n_labelled"]
    labelled = "" if n == n_labelled else f" ({n_labelled or 'none'} labelled)"
    return f"{name} {n:,}{labelled}"


def _n(n: int, one: str) -> str:
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
