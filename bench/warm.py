"""Measure what the warm process saves: plain python and it, turn about, in one project.

Run: python -m bench.warm            (in a quiet moment; 11 minutes a round on 2 cores)

Per round and way: the recipe up to `tta-evaluate` in a fresh clone before there is a warm process, once
more in another clone with one, and the next experiment on the head there. Fine-tuning is short, as it
decides nothing here. The time of `dvc repro` has three parts: the work of the stages, by their own
records; the rest of their commands, which is the start-up of their processes; and DVC's own time. The
clones are of the last commit.
"""

import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench import ours
from bench.compare import machine
from bench.pictures import add_pictures
from bench.tables import RESULTS, warm_table, write_result
from headstart.tracking.records import read_run

WAYS = {"plain python": "0", "warm process": "1"}
SIZE_PX, BATCH = 128, 64
SHORT = {
    "index_images.labels": "folders", "index_images.split": "stratified",
    "find_lr_finetune.n_iter": 10, "unfreeze_finetune.phases.0.cycles": 1,
}  # fmt: skip
KINDS = {
    "first": "the recipe, first time",
    "again": "the recipe, processes are warm",
    "head": "the next experiment on the head",
}
# A `python` that writes when each command of a stage began and ended.
TIMED = """#!/bin/sh
began=$(date +%s.%N)
{python} "$@"
status=$?
echo "$began $(date +%s.%N)" >> {log}
exit $status
"""


def timed(clone: ours.Clone, target: str, log: Path) -> dict[str, float]:
    """Seconds of `dvc repro TARGET` in all, of its stages' own work and of their commands."""
    log.unlink(missing_ok=True)
    began_ms = 1000 * time.time()
    seconds = clone.repro(target)
    records = [read_run(path) for path in (clone.root / "data/7_runs").glob("*.json")]
    work = sum((r.ended_ms - r.started_ms) / 1000 for r in records if r.started_ms >= began_ms)
    commands = [[float(word) for word in line.split()] for line in log.read_text().splitlines()]
    return {
        "seconds": seconds,
        "work": work,
        "commands": sum(end - start for start, end in commands),
        "n": len(commands),
    }


def measured(folder: Path, pictures: Path, way: str, number: int) -> dict[str, dict[str, float]]:
    """The seconds of each kind; the servers of a call end with it."""
    runtime, log, python = folder / "r", folder / "log", folder / "bin/python"
    runtime.mkdir(mode=0o700, parents=True)
    python.parent.mkdir()
    python.write_text(TIMED.format(python=sys.executable, log=log))
    python.chmod(0o755)
    os.environ |= {"HEADSTART_WARM": WAYS[way], "XDG_RUNTIME_DIR": str(runtime)}
    changes = ours.recipe_of(pictures, SIZE_PX, 0, BATCH) | SHORT
    found = {}
    for kind in ("first", "again"):
        clone = ours.Clone(folder / kind, changes)
        clone.environment["PATH"] = f"{python.parent}{os.pathsep}{clone.environment['PATH']}"
        found[kind] = timed(clone, "tta-evaluate", log)
    lr = 0.0111 + 0.001 * number
    clone.edit({"train_head.lr": lr, "train_augmented.phases.0.lr": lr})
    found["head"] = timed(clone, "train-augmented", log)
    shutil.rmtree(runtime)  # a server without its socket ends
    return found


@click.command(help=__doc__)
@click.option("--n", default=1600, show_default=True, help="pictures, made at random")
@click.option("--rounds", default=3, show_default=True)
@click.option("--name", default="warm", show_default=True, help="of the file of results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(n: int, rounds: int, name: str, results: Path) -> None:
    found: dict[str, Any] = {kind: {way: [] for way in WAYS} for kind in KINDS.values()}
    with tempfile.TemporaryDirectory(prefix="w") as root:
        pictures = Path(root, "pictures")
        add_pictures(pictures, range(n))
        for number in range(rounds):
            for way in WAYS:
                folder = Path(root, f"{number}{WAYS[way]}")
                for kind, row in measured(folder, pictures, way, number).items():
                    click.echo(f"{KINDS[kind]}, {way}: {row}", err=True)
                    found[KINDS[kind]][way].append(row)
                shutil.rmtree(folder)
    result = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": f"python -m bench.warm --n {n} --rounds {rounds}", "n": n, "warm": found,
    }  # fmt: skip
    write_result(results, result)
    click.echo(warm_table(result))


if __name__ == "__main__":
    main()
