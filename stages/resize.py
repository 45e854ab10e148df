"""images + pictures → resized: every picture small, upright and RGB, in one file."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.checks.whole_file import load_section
from headstart.image_files.image_folder import ImageFolder
from headstart.kept.remembered import Remembered
from headstart.pictures.resized import picture_places, write_resized
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.files import write_json
from headstart.steps.resize import ResizeParams, resize
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--images", type=FILE, required=True, help="list of the pictures")
@click.option(
    "--pictures", type=FILE, required=True, help="table of sizes and paths of the pictures"
)
@click.option("--resized", type=FILE, required=True, help="folder of the stored pictures")
@click.option("--metrics", type=FILE, required=True, help="number and size")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(images: Path, pictures: Path, resized: Path, metrics: Path, run_file: Path) -> None:
    """Resize the pictures."""
    params = load_section("resize", ResizeParams)
    with live.stage_run("resize", run_file, {"resize": params}) as run:
        rows, once = first_paths(read_pictures(pictures)), Remembered()
        encoded = resize(rows, ImageFolder(images), params, run, once)
        counts = write_resized(resized, encoded, params.manifest())
        once.lie_in([picture_places(resized)])
        write_json(metrics, counts)
        run.metrics(counts)
        run.says(lines.stored(counts), resized)


if __name__ == "__main__":
    main()
