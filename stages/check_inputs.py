"""params + sources → what the sources hold: always run, as DVC cannot look at what may be absent."""

from headstart.tracking.start import start

if __name__ == "__main__":
    start()

from pathlib import Path

import click

from headstart.checks.run_cache import remove_empty_folders
from headstart.checks.sources import checked_sources
from headstart.fetching.seen import seen
from headstart.project.files import read_json, write_json
from headstart.steps.check_inputs import check_inputs
from headstart.terminal import lines
from headstart.terminal.plain_command import PlainCommand

FILE = click.Path(path_type=Path)


@click.command(cls=PlainCommand, help=__doc__)
@click.option("--pictures", type=FILE, required=True, help="what dataset.source holds")
@click.option("--weights", type=FILE, required=True, help="what backbone.weights holds")
def main(pictures: Path, weights: Path) -> None:
    """Check params.yaml, look at the sources, and heal DVC's run cache."""
    remove_empty_folders(Path())
    files = {"dataset.source": pictures, "backbone.weights": weights}
    before = {key: read_json(file) if file.is_file() else {} for key, file in files.items()}
    known = {key: about["source"] for key, about in before.items() if about}
    for key, source in checked_sources(known).items():
        now = seen(Path(source))
        if now is None:
            lines.tell(lines.not_here(key, source))
        if (told := check_inputs(source, now, before[key])) != before[key]:
            write_json(files[key], told, sealed=True)


if __name__ == "__main__":
    main()
