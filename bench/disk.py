"""Measure the disk space of a project after a run of all stages, in bytes per byte of pictures.

Run: python -m bench.disk --pictures FOLDER     (train and valid, each with a folder a class)

A fresh clone of the last commit runs on the folder with the default's sizes and views, and with one
epoch per training. Each file counts once, however many hard links it has, by the blocks that it
occupies. The pictures themselves are not counted.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from bench.ours import Clone
from headstart.image_files.tree import list_tree

# A file counts for the first part that holds it, so its link in DVC's cache does not count again.
PARTS = {
    "list and index": ("data/0_source/images", "data/1_index"),
    "networks": ("data/0_source", "data/4_checkpoints"),
    "resized": ("data/2_resized",),
    "activations": ("data/3_activations",),
    "predictions, reports, runs": ("data",),
    "DVC's cache beside them": (".dvc",),
    "kept work": (".headstart",),
    "MLflow": ("mlflow.db", "mlartifacts", "mlruns"),
    "all else": ("",),
}
QUICK = {
    "index_images.split": "given",
    "index_images.on_problem": "set_aside",
    "resize.size_px": 256,
    "find_lr_head.n_iter": 10,
    "find_lr_finetune.n_iter": 2,
    "train_head.n_epochs": 1,
    "train_augmented.phases.0.cycles": 1,
    "unfreeze_finetune.phases.0.cycles": 1,
}


def files_below(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in names)


def bytes_of_parts(root: Path) -> dict[str, int]:
    """Bytes on disk of the files of each part; each file counts once."""
    seen: set[tuple[int, int]] = set()
    found = dict.fromkeys(PARTS, 0)
    for part, places in PARTS.items():
        for place in places:
            for file in files_below(root / place):
                about = file.lstat()
                if (about.st_dev, about.st_ino) not in seen:
                    seen.add((about.st_dev, about.st_ino))
                    found[part] += about.st_blocks * 512
    return found


@click.command(help=__doc__)
@click.option("--pictures", required=True, type=click.Path(exists=True, path_type=Path))
def main(pictures: Path) -> None:
    tree = list_tree(pictures)
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        clone = Clone(Path(folder) / "clone", QUICK | {"dataset.source": str(pictures.resolve())})
        clone.repro("")
        found = bytes_of_parts(clone.root)
        n = clone.metrics("index_images")["n_pictures"]
        n_views = clone.metrics("precompute_views")["n_views"]
        plain = clone.metrics("precompute_activations")["n_bytes"]
    click.echo("| part | MB | a byte of source | bytes a picture |\n|---|---|---|---|")

    def row(part: str, n_bytes: int) -> None:
        click.echo(
            f"| {part} | {n_bytes / 1e6:.1f} | {n_bytes / tree.n_bytes:.3f} | {n_bytes / n:.0f} |"
        )

    for part, n_bytes in found.items():
        row(part, n_bytes)
    row("all", sum(found.values()))
    row("all but activations", sum(found.values()) - found["activations"])
    click.echo(
        f"\n{n} pictures, {tree.n_bytes / 1e6:.1f} MB of source; {n_views} views of train; "
        f"{plain / n:.0f} bytes a picture and view."
    )


if __name__ == "__main__":
    main()
