"""headstart's side of bench.compare: times of runs in fresh clones of the last commit."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from bench.pictures import SPARE, add_pictures
from bench.start_up import start_up
from headstart.tracking.records import read_run

ROOT = Path(__file__).parents[1]
CYCLES, HEAD_EPOCHS, AUGMENTED_EPOCHS, N_ITER = 3, 3, 3, 40  # cycles of 1, 2 and 4 epochs
# Short settings of all stages, for clones in which only later runs are measured.
IDLE_PX, IDLE = (80, 60), {
    "index_images.labels": "folders", "index_images.split": "stratified",
    "resize.size_px": 56, "backbone.size_px": 48, "precompute_views.n_views": 1,
    "find_lr_head.n_iter": 10, "find_lr_finetune.n_iter": 10, "train_head.n_epochs": 1,
    "train_augmented.phases.0.cycles": 1, "unfreeze_finetune.phases.0.cycles": 1,
}  # fmt: skip


class Clone:
    """A fresh clone of the last commit, whose params.yaml has the recipe that is compared.

    Without changes, params.yaml stays as committed, so that `init` may replace it.
    """

    def __init__(self, folder: Path, changes: Mapping[str, Any]) -> None:
        self.root = folder
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        if changes:
            self.edit(changes)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
        self.environment |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder / ".site")}
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def edit(self, changes: Mapping[str, Any]) -> None:
        yaml = YAML()
        params = yaml.load(self.root / "params.yaml")
        for key, value in changes.items():
            *path, last = key.split(".")
            section = params
            for part in path:
                section = section[int(part) if part.isdigit() else part]
            section[last] = value
        yaml.dump(params, self.root / "params.yaml")

    def init(self, *words: str) -> float:
        """Wall-clock seconds of `headstart init WORDS`, by the clone's own code."""
        code = "from headstart.commands.cli import main; main()"
        return self._seconds(sys.executable, "-c", code, "init", *words)

    def repro(self, target: str) -> float:
        """Wall-clock seconds of `dvc repro TARGET`, or of all stages."""
        return self._seconds("dvc", "repro", *target.split())  # -q would hide DVC's own errors

    def _seconds(self, *command: str) -> float:
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=self.root, env=self.environment | {"PYTHONPATH": str(self.root / "src")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            raise click.ClickException(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
        return time.perf_counter() - start

    def metrics(self, stage: str) -> Any:
        return json.loads((self.root / f"metrics/{stage}.json").read_text())


def recipe_of(pictures: Path, size_px: int, seed: int, batch: int) -> dict[str, Any]:
    """Changes of params.yaml: folder, size, batches, and the epochs that all tools train."""
    phase = "unfreeze_finetune.phases.0"
    return {
        "dataset.source": str(pictures),
        "index_images.split": "given",
        "resize.size_px": round(SPARE * size_px),
        "backbone.size_px": size_px,
        "optimizer_head.batch_size": batch,
        "optimizer_finetune.batch_size": batch,
        "find_lr_head.n_iter": N_ITER,
        "find_lr_finetune.n_iter": N_ITER,
        "train_head.n_epochs": HEAD_EPOCHS,
        "train_augmented.phases.0.cycles": AUGMENTED_EPOCHS,
        f"{phase}.cycles": CYCLES,
        "unfreeze_finetune.stop_when_worse": False,
        **seeds_of(seed),
    }


def seeds_of(seed: int) -> dict[str, int]:
    """Changes of params.yaml that give all training stages a seed."""
    return {
        f"{stage}.seed": seed for stage in ("train_head", "train_augmented", "unfreeze_finetune")
    }


def parts(seconds: float, own: Mapping[str, float]) -> dict[str, float]:
    """Split `seconds` into fine-tuning with its range test, other work, and start-up (the rest).

    Args:
        seconds: seconds in total.
        own: seconds of each stage's own work, by a name that contains `finetune` for fine-tuning.
    """
    fine_tuning = sum(value for name, value in own.items() if "finetune" in name)
    working = sum(own.values())
    return {
        "fine_tuning": fine_tuning,
        "other_work": working - fine_tuning,
        "start_up": seconds - working,
    }


def recipe(folder: Path, changes: Mapping[str, Any]) -> dict[str, float]:
    """Run the whole recipe in a fresh clone; the records of its runs give the parts of its time."""
    clone = Clone(folder, changes)
    seconds = clone.repro("tta-evaluate")
    records = [read_run(path) for path in (folder / "data/7_runs").glob("*.json")]
    own = {record.stage: (record.ended_ms - record.started_ms) / 1000 for record in records}
    valid = clone.metrics("tta_evaluate")["valid"]
    accuracies = {"accuracy": valid["plain"]["accuracy"], "tta": valid["tta"]["accuracy"]}
    return {"seconds": seconds, **accuracies, **parts(seconds, own)}


def next_head(clone: Clone, number: int) -> dict[str, float]:
    """Run the next experiment on the head in a clone that has its activations.

    Raises:
        click.ClickException: a stage did not run, because DVC restored an earlier result.
    """
    lr, began_ms = 0.0111 + 0.001 * number, 1000 * time.time()
    clone.edit({"train_head.lr": lr, "train_augmented.phases.0.lr": lr})
    seconds = clone.repro("train-augmented")
    for stage in ("train_head", "train_augmented"):
        if read_run(clone.root / f"data/7_runs/{stage}.json").started_ms < began_ms:
            raise click.ClickException(f"{stage} did not run: its rate {lr} was run before.")
    return {"seconds": seconds, "accuracy": clone.metrics("train_augmented")["valid"]["accuracy"]}


def idle_project(folder: Path, pictures: Path, n: int) -> Clone:
    """A clone in which all stages have run on n small pictures."""
    add_pictures(pictures, range(n), IDLE_PX)
    clone = Clone(folder, IDLE | {"dataset.source": str(pictures)})
    clone.repro("")
    return clone


def idle_round(clone: Clone) -> dict[str, float]:
    nothing = clone.repro("")
    return {"`dvc repro`, nothing to do": nothing, **start_up(clone.root, clone.environment)}
