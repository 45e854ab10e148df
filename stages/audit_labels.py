"""activations + labels → report: labels that are probably wrong, in all splits."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from pathlib import Path

import click

from headstart.activations.stored import read_activations
from headstart.checks.whole_file import load_section
from headstart.labels.labels import read_labels
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.files import write_csv, write_json
from headstart.steps.audit_labels import AuditLabelsParams, audit_labels
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking import live

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--activations", type=FILE, required=True, help="activations of the plain view")
@click.option("--labels", type=FILE, required=True, help="classes and splits")
@click.option("--test-labels", type=FILE, required=True, help="labels of test")
@click.option("--pictures", type=FILE, required=True, help="files of the pictures")
@click.option("--audit", type=FILE, required=True, help="CSV with one row per labelled picture")
@click.option("--metrics", type=FILE, required=True, help="number of labels that may be wrong")
@click.option("--run", "run_file", type=FILE, required=True, help="record of this run")
def main(
    activations: Path, labels: Path, test_labels: Path, pictures: Path, audit: Path, metrics: Path,
    run_file: Path,
) -> None:  # fmt: skip
    """Judge the labels."""
    params = load_section("audit_labels", AuditLabelsParams)
    with live.stage_run("audit-labels", run_file, {"audit_labels": params}) as run:
        cached, meaning = read_activations(activations).first(), read_labels(labels, test_labels)
        paths = dict(first_paths(read_pictures(pictures)))
        found = audit_labels(cached, meaning, paths, params)
        write_csv(audit, found.table)
        write_json(metrics, found.metrics)
        run.metrics(found.metrics)
        run.artifact(audit)
        run.says(lines.audited(found.metrics, found.table), audit)


if __name__ == "__main__":
    main()
