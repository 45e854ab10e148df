"""predictions + curves + pictures → report: errors of the final checkpoint, course of the trainings."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from functools import partial
from pathlib import Path

import click

from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.evaluation.predictions import read_predictions
from headstart.explaining.masks import masks
from headstart.pictures.resized import ResizedPictures
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.files import write_json, write_report
from headstart.project.params import read_params
from headstart.reporting.facts import facts
from headstart.reporting.label_audit import read_audit
from headstart.reporting.near_pairs import read_near
from headstart.reporting.told import by_stage, read_course, read_told
from headstart.steps.confusion_report import ConfusionReportParams, confusion_report
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = FOLDER = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--predictions", "said", type=FILE, multiple=True, help="the final one last (repeat)")
@click.option("--values", "jsons", type=FILE, multiple=True, help="JSON of a stage (repeat)")
@click.option("--course", type=FILE, multiple=True, help="of a range test or a training (repeat)")
@click.option("--pictures", type=FILE, required=True, help="files and sizes of the pictures")
@click.option("--problems", type=FILE, required=True, help="CSV of the files that were set aside")
@click.option("--near", type=FILE, required=True, help="CSV of the pairs that show one shot")
@click.option("--audit", type=FILE, required=True, help="CSV of labels that may be wrong")
@click.option("--resized", type=FILE, required=True, help="stored pictures, to show them")
@click.option("--model", type=FILE, required=True, help="the network, to show where it looked")
@click.option("--recipes", type=FOLDER, required=True, help="what the params are compared with")
@click.option("--record", "records", type=FILE, multiple=True, help="of a stage's run (repeat)")
@click.option("--report", "reports", type=FILE, multiple=True, help="a part, by its name (repeat)")
@click.option("--metrics", type=FILE, required=True, help="counts of errors")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    said: tuple[Path, ...], jsons: tuple[Path, ...], course: tuple[Path, ...], pictures: Path,
    problems: Path, near: Path, audit: Path, resized: Path, model: Path, recipes: Path,
    records: tuple[Path, ...], reports: tuple[Path, ...], metrics: Path, run_file: Path,
) -> None:  # fmt: skip
    """Report on the errors and the whole run."""
    params, every = load_section("confusion_report", ConfusionReportParams), read_params()
    # some gradients have no deterministic kernel, and overlays decide nothing
    runtime = load_section("runtime", RuntimeParams).model_copy(update={"deterministic": False})
    with live.stage_run("confusion-report", run_file, {"confusion_report": params}) as run:
        values, tables = by_stage(jsons), [read_predictions(path) for path in said]
        indexed, stored = read_pictures(pictures), ResizedPictures(resized)
        report = confusion_report(
            tables[-1], dict(first_paths(indexed)), stored.decode, values["tta_evaluate"],
            read_course(course, values["unfreeze_finetune"]), params,
            every["tta_evaluate"]["confidence"],
            facts(read_told(values, tables, indexed, problems, recipes, records)),
            partial(masks, model, stored, prepare(runtime)), read_near(near), read_audit(audit),
        )  # fmt: skip
        for path in reports:
            write_report(path, report.files[path.name])
            run.artifact(path)
        write_json(metrics, report.metrics)
        run.metrics(report.metrics)
        run.says(lines.confused(report.metrics), reports[0])


if __name__ == "__main__":
    main()
