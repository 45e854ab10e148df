"""Measure what the warm process saves: plain python and it, turn about, in one project.

Run: python -m bench.warm            (in a quiet moment; some minutes)
     python -m bench.warm --n 1600 --rounds 5

Per round and way: the whole recipe up to `tta-evaluate` in a fresh clone before there is a warm process
(`first`), once more with one (`recipe`), and the next experiment on the head (`head`). Start-up is the
time of `dvc repro` less what the stages' own records give. The clones are of the last commit.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import click

from bench import ours
from bench.pictures import add_pictures
from headstart.tracking.records import read_run

WAYS = {"plain python": "0", "warm process": "1"}
SIZE_PX, BATCH = 128, 64
OF_FOLDERS = {"index_images.labels": "folders", "index_images.split": "stratified"}
KINDS = ("first", "recipe", "head")


def own_seconds(root: Path, began_ms: float) -> float:
    """Seconds of the stages that have run since `began_ms`, by their records."""
    records = [read_run(path) for path in (root / "data/7_runs").glob("*.json")]
    return sum((r.ended_ms - r.started_ms) / 1000 for r in records if r.started_ms >= began_ms)


def timed(clone: ours.Clone, target: str) -> tuple[float, float]:
    """Seconds of `dvc repro TARGET`, and those of its start-up."""
    began_ms = 1000 * time.time()
    seconds = clone.repro(target)
    return seconds, seconds - own_seconds(clone.root, began_ms)


def measured(folder: Path, pictures: Path, way: str, number: int) -> dict[str, tuple[float, float]]:
    """Seconds, and those of start-up, of each kind; the servers of a call end with it."""
    runtime = folder / "r"
    runtime.mkdir(mode=0o700, parents=True)
    found = {}
    os.environ |= {"HEADSTART_WARM": WAYS[way], "XDG_RUNTIME_DIR": str(runtime)}
    for kind in KINDS[:2]:
        changes = ours.recipe_of(pictures, SIZE_PX, 0, BATCH) | OF_FOLDERS
        clone = ours.Clone(folder / kind, changes)
        found[kind] = timed(clone, "tta-evaluate")
    lr = 0.0111 + 0.001 * number
    clone.edit({"train_head.lr": lr, "train_augmented.phases.0.lr": lr})
    found["head"] = timed(clone, "train-augmented")
    shutil.rmtree(runtime)  # a server without its socket ends
    return found


@click.command(help=__doc__)
@click.option("--n", default=1600, help="pictures, made at random")
@click.option("--rounds", default=3)
def main(n: int, rounds: int) -> None:
    """Print the medians of all rounds."""
    found: dict[str, list[dict[str, tuple[float, float]]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="w") as name:
        pictures = Path(name, "pictures")
        add_pictures(pictures, range(n))
        for number in range(rounds):
            for way in WAYS:
                folder = Path(name, f"{number}{WAYS[way]}")
                found[way].append(measured(folder, pictures, way, number))
                shutil.rmtree(folder)
    heads = [f"{way}: all, start-up (s)" for way in WAYS]
    click.echo(f"| | {' | '.join(heads)} | ratio of start-up |")
    click.echo("|---|" + "---|" * (len(WAYS) + 1))
    for kind in KINDS:
        pairs = [[median(row[kind][i] for row in found[way]) for i in (0, 1)] for way in WAYS]
        cells = " | ".join(f"{seconds:.1f}, {start_up:.1f}" for seconds, start_up in pairs)
        click.echo(f"| {kind} | {cells} | {pairs[0][1] / pairs[1][1]:.1f} |")


if __name__ == "__main__":
    main()
