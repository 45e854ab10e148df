"""dataset.source → images: check and list the pictures of a package, a folder or archives."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.checks.whole_file import load_section
from headstart.fetching.image_sources import read_images_source, that_stays
from headstart.fetching.remote_images import list_pictures, open_images
from headstart.image_files.image_folder import write_images
from headstart.image_files.tree import DatasetParams, n_free_bytes
from headstart.project.files import write_json
from headstart.steps.fetch_images import fetch_images
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option(
    "--images", type=FILE, required=True, help="list of the files, and their copies if wanted"
)
@click.option("--metrics", type=FILE, required=True, help="number and size of the files")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(images: Path, metrics: Path, run_file: Path) -> None:
    """List the pictures."""
    params = load_section("dataset", DatasetParams)
    source = read_images_source(params.source)  # before the run: one that is absent fails no run
    with live.stage_run("fetch-images", run_file, {"dataset": params}) as run:
        stays = that_stays(source, params.copy)
        with open_images(source, run) as folder:
            tree, room = list_pictures(source, folder), None if stays else n_free_bytes(images)
            write_images(images, folder, fetch_images(tree, source, room, run), stays)
        write_json(metrics, tree.counts())
        run.metrics(tree.counts())
        run.says(lines.fetch_images(tree.counts()), images)


if __name__ == "__main__":
    main()
