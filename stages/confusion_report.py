"""predictions + curves + pictures → report: errors of the final checkpoint, course of the trainings."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click
import pandas as pd

from headstart.checks.whole_file import load_section
from headstart.evaluation.predictions import read_predictions
from headstart.pictures.resized import ResizedPictures
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.files import read_json, write_json, write_report
from headstart.project.params import read_params
from headstart.reporting.course import Course
from headstart.steps.confusion_report import ConfusionReportParams, confusion_report
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--predictions", type=Path, required=True, help="predictions of the final checkpoint")
@click.option("--scores", type=Path, required=True, help="metrics of tta-evaluate")
@click.option("--fine-tuning", type=Path, required=True, help="metrics of unfreeze-finetune")
@click.option("--curve", "curves", type=Path, multiple=True, help="CSV of a range test (repeat)")
@click.option(
    "--suggestion", "suggestions", type=Path, multiple=True, help="JSON of a range test (repeat)"
)
@click.option("--epochs", type=Path, multiple=True, help="CSV of a training (repeat)")
@click.option("--pictures", type=Path, required=True, help="table of the pictures, for file names")
@click.option("--resized", type=Path, required=True, help="stored pictures, to show them")
@click.option(
    "--report", "reports", type=Path, multiple=True, help="one part, named by its file (repeat)"
)
@click.option("--metrics", type=Path, required=True, help="counts of errors")
@click.option("--run", "run_file", type=Path, required=True, help="record of this run")
def main(predictions: Path, scores: Path, fine_tuning: Path, curves: tuple[Path, ...],
         suggestions: tuple[Path, ...], epochs: tuple[Path, ...], pictures: Path, resized: Path,
         reports: tuple[Path, ...], metrics: Path, run_file: Path) -> None:  # fmt: skip
    """Report on the errors and the trainings."""
    params = load_section("confusion_report", ConfusionReportParams)
    with live.stage_run("confusion-report", run_file, {"confusion_report": params}) as run:
        paths, decode = dict(first_paths(read_pictures(pictures))), ResizedPictures(resized).decode
        table, values = read_predictions(predictions), read_json(scores)
        course = Course(
            {path.stem: pd.read_csv(path) for path in curves},
            {path.stem: read_json(path) for path in suggestions},
            {path.stem: pd.read_csv(path) for path in epochs},
            read_json(fine_tuning),
        )
        level = read_params()["tta_evaluate"]["confidence"]
        report = confusion_report(table, paths, decode, values, course, params, level)
        for path in reports:
            write_report(path, report.files[path.name])
            run.artifact(path)
        write_json(metrics, report.metrics)
        run.metrics(report.metrics)
        run.says(lines.confused(report.metrics), reports[0])


if __name__ == "__main__":
    main()
