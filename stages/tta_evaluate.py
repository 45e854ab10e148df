"""predictions/views + labels → predictions: plain and TTA, both calibrated and scored."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.checks.whole_file import load_section
from headstart.evaluation.final_model import write_final_model
from headstart.evaluation.headline import headline
from headstart.evaluation.predictions import write_predictions
from headstart.labels.labels import read_labels
from headstart.prediction.stored_views import read_views
from headstart.project.files import read_json, write_json
from headstart.steps.tta_evaluate import TtaEvaluateParams, tta_evaluate
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--views", type=FILE, required=True, help="probabilities of each checkpoint's views")
@click.option("--labels", type=FILE, required=True, help="classes, splits, labels but of test")
@click.option("--test-labels", type=FILE, required=True, help="labels of test")
@click.option(
    "--checkpoint", "files", type=FILE, multiple=True, help="may be the final one (repeat)"
)
@click.option("--about-final", type=FILE, required=True, help="JSON of the final checkpoint")
@click.option("--model", type=FILE, required=True, help="the final network, with what valid chose")
@click.option("--predictions", type=FILE, multiple=True, help="of one checkpoint (repeat)")
@click.option("--metrics", type=FILE, required=True, help="scores with intervals")
@click.option("--headline", "few", type=FILE, required=True, help="the numbers to compare by")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    views: Path, labels: Path, test_labels: Path, files: tuple[Path, ...], about_final: Path,
    model: Path, predictions: tuple[Path, ...], metrics: Path, few: Path, run_file: Path,
) -> None:  # fmt: skip
    """Average and score."""
    params = load_section("tta_evaluate", TtaEvaluateParams)
    with live.stage_run("tta-evaluate", run_file, {"tta_evaluate": params}) as run:
        said, checkpoints = read_views(views), {path.stem: path for path in files}
        evaluation = tta_evaluate(read_labels(labels, test_labels), said, params)
        final, about = checkpoints[said.final], read_json(about_final)
        found = (evaluation.thresholds, evaluation.temperatures, evaluation.costs)
        write_final_model(model, final, about, *found)
        for path in predictions:
            write_predictions(path, evaluation.predictions[path.stem])
        write_json(metrics, evaluation.metrics)
        write_json(few, headline(evaluation.metrics))
        run.metrics(evaluation.metrics)
        run.says(lines.scored(evaluation.metrics), metrics)


if __name__ == "__main__":
    main()
