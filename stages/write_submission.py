"""predictions + pictures → submission: the CSV that a competition asks for."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.checks.whole_file import load_section
from headstart.evaluation.predictions import read_predictions
from headstart.image_files.image_folder import ImageFolder
from headstart.pictures.table import read_pictures
from headstart.project.files import write_csv, write_json
from headstart.steps.write_submission import WriteSubmissionParams, write_submission
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--predictions", type=FILE, required=True, help="predictions of the final checkpoint")
@click.option("--pictures", type=FILE, required=True, help="table of the pictures, for file names")
@click.option("--images", type=FILE, required=True, help="list with the sample submission")
@click.option("--submission", type=FILE, required=True, help="CSV with one row per file of test")
@click.option("--metrics", type=FILE, required=True, help="counts")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(predictions: Path, pictures: Path, images: Path, submission: Path,
         metrics: Path, run_file: Path) -> None:  # fmt: skip
    """Write the submission."""
    params = load_section("write_submission", WriteSubmissionParams)
    with live.stage_run("write-submission", run_file, {"write_submission": params}) as run:
        name, folder = params.sample, ImageFolder(images)
        sample = folder[name].decode("utf-8-sig") if name else None
        table = read_predictions(predictions)
        result = write_submission(table, read_pictures(pictures), sample, params)
        write_csv(submission, result.table)
        write_json(metrics, result.metrics)
        run.metrics(result.metrics)
        run.says(lines.submitted(result.metrics), submission)


if __name__ == "__main__":
    main()
