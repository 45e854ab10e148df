"""all params + all metrics + all runs → MLflow: one complete row for the whole state."""

from headstart.tracking.start import start_stage

if __name__ == "__main__":
    start_stage()  # before torch is loaded

from hashlib import md5
from pathlib import Path

import click

from headstart.project.files import read_json, write_json
from headstart.project.params import read_params
from headstart.steps.publish_run import publish_run
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand
from headstart.tracking.data_set import digest
from headstart.tracking.publishing import publish_row
from headstart.tracking.records import read_run

FILE = FOLDER = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--metrics", type=FOLDER, required=True, help="folder of each stage's metrics")
@click.option("--run", type=FOLDER, required=True, help="folder of the record of each stage's run")
@click.option("--index", type=FILE, multiple=True, help="table of pictures or labels (repeat)")
@click.option("--report", "reports", type=FILE, multiple=True, help="small file to show (repeat)")
@click.option("--model", type=FILE, required=True, help="checkpoint to log and register")
@click.option("--state", type=FILE, required=True, help="where to write the name of the state")
def main(metrics: Path, run: Path, index: tuple[Path, ...], reports: tuple[Path, ...], model: Path,
         state: Path) -> None:  # fmt: skip
    """Publish the row, then write the name of its state."""
    params = read_params()
    values = {path.stem: read_json(path) for path in sorted(metrics.glob("*.json"))}
    data = digest(md5(path.read_bytes()).hexdigest() for path in index)
    row = publish_run(params, values, data)
    records = [read_run(run / f"{stage}.json") for stage in values]
    run_id = publish_row(row, records, reports, model)
    write_json(state, {"state": row.state})
    lines.tell(lines.published(run_id, params, values, reports))


if __name__ == "__main__":
    main()
