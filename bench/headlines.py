"""The README's two small tables: scores of the default run, and three figures against fastai's."""

import json
import statistics
from pathlib import Path
from typing import Any

METRICS = Path(__file__).parents[1] / "metrics"
CHECKPOINTS = {
    "head": ("the head on cached activations, {n} epochs", "train_head"),
    "augmented": ("after {n} more epochs on augmented views", "train_augmented"),
    "finetuned": ("after {n} more epochs of fine-tuning", "unfreeze_finetune"),
}
FIGURES = {
    "the whole recipe, first time, {n_train} pictures, {size_px} px": ("textile-224", "recipe"),
    "the next experiment on the head, {n_head} pictures": ("textile", "head"),
    "an epoch of fine-tuning, {n_train} pictures, {epoch_px} px": ("textile", "epoch"),
}


def scores_table(metrics: Path = METRICS) -> str:
    """Accuracy of each checkpoint of the default run, with its interval, in Markdown."""
    found = _read(metrics / "tta_evaluate.json")["checkpoints"]
    lines = ["| checkpoint | valid, plain | valid, TTA | test, plain | test, TTA |"]
    lines += ["|---|---|---|---|---|"]
    for name, (label, stage) in CHECKPOINTS.items():
        cells = [label.format(n=_read(metrics / f"{stage}.json")["n_epochs"])]
        for split in ("valid", "test"):
            for kind in ("plain", "tta"):
                of = found[name][split][kind]
                low, high = of["accuracy_ci_low"], of["accuracy_ci_high"]
                cells.append(f"{of['accuracy']:.4f} ({low:.3f} to {high:.3f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures_table(results: Path) -> str:
    """Medians of three figures of `bench.compare`, and the ratio of fastai's to ours, in Markdown."""
    lines = ["| simulated textile | headstart | fastai | ratio |", "|---|---|---|---|"]
    measured: set[str] = set()
    for label, (name, kind) in FIGURES.items():
        found = _read(results / f"{name}.json")
        ours, theirs = (
            statistics.median(run["seconds"] for run in found[kind][who])
            for who in ("headstart", "fastai")
        )
        lines.append(
            f"| {label.format(**found)} | {ours:.1f} s | {theirs:.1f} s | {theirs / ours:.1f} |"
        )
        about = found["machine"]
        packages = ", ".join(f"{package} {about[package]}" for package in ("torch", "fastai"))
        measured.add(f"{found['when']}, {about['cores']} cores of {about['chip']}, {packages}")
    how = "Medians, by `python -m bench.compare`"
    return "\n".join([*lines, "", f"{how}; {'; '.join(sorted(measured))}."])


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
