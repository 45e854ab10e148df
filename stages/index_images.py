"""images → pictures + labels + test labels + train ids + problems: sizes, copies, labels and splits."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.checks.whole_file import load_section
from headstart.image_files.image_folder import ImageFolder
from headstart.indexing.index import write_index, write_near_duplicates
from headstart.indexing.params import IndexImagesParams
from headstart.kept.records import known_records
from headstart.pictures.facts import facts_key
from headstart.project.files import write_csv, write_json
from headstart.steps.index_images import index_images
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--images", type=FILE, required=True, help="list of the pictures")
@click.option(
    "--pictures", type=FILE, required=True, help="table of sizes and paths of the pictures"
)
@click.option("--labels", type=FILE, required=True, help="table of splits, labels but of test")
@click.option("--test-labels", type=FILE, required=True, help="table of the labels of test")
@click.option("--train-ids", type=FILE, required=True, help="ids of the pictures of train")
@click.option("--problems", type=FILE, required=True, help="what was set aside, and why")
@click.option("--near", type=FILE, required=True, help="pairs that show one shot")
@click.option("--metrics", type=FILE, required=True, help="counts")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(images: Path, pictures: Path, labels: Path, test_labels: Path, train_ids: Path,
         problems: Path, near: Path, metrics: Path, run_file: Path) -> None:  # fmt: skip
    """Index the pictures."""
    params = load_section("index_images", IndexImagesParams)
    with (
        live.stage_run("index-images", run_file, {"index_images": params}) as run,
        known_records(facts_key()) as known,
    ):
        files = ImageFolder(images)
        index = index_images(files, files.sha256, files.forms, params, run, known)
        write_index(index, pictures, labels, test_labels, train_ids)
        write_csv(problems, index.problems)
        write_near_duplicates(index, near)
        write_json(metrics, index.counts())
        run.metrics(index.counts())
        for note in index.notes:
            click.echo(note, err=True)
        run.says(lines.index_images(index.counts()), metrics)


if __name__ == "__main__":
    main()
