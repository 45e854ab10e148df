"""dataset.source → images: copy the pictures of a package, a folder or the net, and check them."""

from pathlib import Path

import click

from headstart import lines, live
from headstart.params import load_section
from headstart.steps.fetch_images import fetch_images
from headstart.store.image_sources import read_images_source
from headstart.store.images import DatasetParams, list_tree, n_free_bytes, write_images
from headstart.store.remote_images import open_images
from headstart.store.reports import write_json
from headstart.terminal import PlainCommand

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--images", type=FILE, required=True, help="where to copy the files to")
@click.option("--metrics", type=FILE, required=True, help="number and size of the files")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(images: Path, metrics: Path, run_file: Path) -> None:
    """Copy the pictures."""
    params = load_section("dataset", DatasetParams)
    with live.stage_run("fetch-images", run_file, {"dataset": params}) as run:
        source = read_images_source(params.source)
        with open_images(source, run) as folder:
            tree = list_tree(folder)
            write_images(images, fetch_images(tree, source, n_free_bytes(images), run))
        write_json(metrics, tree.counts())
        run.metrics(tree.counts())
        run.says(lines.fetch_images(tree.counts()), images)


if __name__ == "__main__":
    main()
