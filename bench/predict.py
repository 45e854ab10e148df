"""Compare the speed of `headstart predict` on files with that of its network on stored pictures.

Run: python -m bench.predict      (two minutes; `python -m bench.tables` puts its table into docs)

MODEL is a checkpoint in a project whose stages have run. The network's forward passes read pictures as
they are stored, already small. `predict` reads the files, decodes them, brings them into the stored
form, and shows them to the same network. Both are timed in turn, in one process.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from bench.compare import machine
from bench.pictures import generated
from bench.predict_table import predict_table
from bench.tables import RESULTS, write_result
from headstart.backbone.device import RuntimeParams, prepare
from headstart.pictures.resized import ResizedPictures, write_resized
from headstart.use.classifier import Classifier
from headstart.views.inference import forward_passes, id_batches
from headstart.views.pictures import Pictures

KINDS = {"250 x 250 px": (250, 250), "500 x 375 px": (500, 375), "4000 x 3000 px": (4000, 3000)}


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compared(classifier: Classifier, files: Sequence[Path], rounds: int) -> dict[str, Any]:
    """Pictures a second of both ways; medians over rounds, after one that warms up."""
    info = classifier.info
    with TemporaryDirectory() as folder:
        encode = info.preprocessing.encode
        rows = ((f"{number:06}", encode(file.read_bytes())) for number, file in enumerate(files))
        form = info.preprocessing.stored[-1]
        write_resized(Path(folder), rows, form.model_dump(exclude_none=True))
        stored = ResizedPictures(Path(folder))
        batches = id_batches(stored.ids, classifier.device)

        def network() -> None:
            shown = Pictures.of(stored, info.size_px, info.frame, classifier.device).plain(batches)
            for _ in forward_passes(classifier.networks[0], shown):
                pass

        def predict() -> None:
            for _ in classifier.each(files):
                pass

        ways = {"network": network, "predict": predict}
        found: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + 1):
            for way, run in ways.items():
                taken = seconds(run)
                if number:
                    found[way].append(len(files) / taken)
    return {way: statistics.median(values) for way, values in found.items()}


@click.command(help=__doc__)
@click.argument(
    "model", type=click.Path(path_type=Path, exists=True),
    default="data/4_checkpoints/model.safetensors",
)  # fmt: skip
@click.option("--n", default=256, show_default=True, help="files of each kind")
@click.option("--rounds", default=5, show_default=True)
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(model: Path, n: int, rounds: int, results: Path) -> None:
    machine_of = prepare(RuntimeParams(precision="auto", deterministic=True))
    classifier = Classifier.on(model, machine_of)
    info = classifier.info
    rows = []
    with TemporaryDirectory() as folder:
        for of, size in KINDS.items():
            files = [Path(folder) / f"{of} {number}.jpg" for number in range(n)]
            for number, file in enumerate(files):
                file.write_bytes(generated(number, size))
            rows.append({"files": of, **compared(classifier, files, rounds)})
            click.echo(str(rows[-1]), err=True)
    found = {
        "name": "predict", "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": "python -m bench.predict", "n": n, "rounds": rounds,
        "architecture": info.architecture, "size_px": info.size_px, "predict": rows,
    }  # fmt: skip
    write_result(results, found)
    click.echo(predict_table(found))


if __name__ == "__main__":
    main()
