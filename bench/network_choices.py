"""Compare networks by what a first look costs and tells: the head on frozen activations, on real sets.

Run: pip install -e '.[bench]'
     python -m bench.network_choices --dogscats FOLDER --dogbreeds FOLDER --planet FOLDER
     python -m bench.network_choices --dogscats FOLDER --network convnext_tiny.fb_in1k      (downloads)
     (a quarter of an hour on two cores; a run that was stopped resumes)

For each set, seed and network: `headstart init --network NAME` and `dvc repro train-head`, in a fresh
clone of the last commit. The input has the network's own size. The sets are those of
bench.zero_tuning that are whole sets. A seed draws the pictures and seeds the training. The score is
accuracy, or F2 of many labels, on the plain view of valid.
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import ours
from bench.compare import machine, shown, textile
from bench.tables import RESULTS, earlier_rows, write_result
from bench.zero_sets import KINDS, draw, labels_in, write_set
from headstart.project.params import read_params
from headstart.tracking.records import read_run

SETS = ("textile", "dogscats", "breeds", "planet")
PACKAGED = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")


def first_look(
    clone: ours.Clone, pictures: Path, view: str, name: str, seed: int
) -> dict[str, float]:
    """Input size, pictures per second and score of valid of the head on one network."""
    clone.init(str(pictures), "--view", view, "--network", name, "--force")
    clone.edit(ours.seeds_of(seed))
    clone.repro("train-head")
    run = read_run(clone.root / "data/7_runs/precompute_activations.json")
    n = clone.metrics("index_images")["n_pictures"]
    scores = clone.metrics("train_head")["valid"]
    params = read_params(clone.root / "params.yaml")
    return {
        "size_px": params["backbone"]["size_px"],
        "per_second": n / ((run.ended_ms - run.started_ms) / 1000),
        "score": scores.get("accuracy", scores.get("f2")),
    }


@click.command(help=__doc__)
@click.option("--dogscats", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dogbreeds", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--planet", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--network", "names", multiple=True, default=PACKAGED, show_default=True)
@click.option("--seeds", default=2, show_default=True)
@click.option("--n-train", default=400, show_default=True)
@click.option("--n-valid", default=300, show_default=True)
@click.option("--stored-px", default=336, show_default=True, help="shorter side of the pictures")
@click.option(
    "--name", default="network_choices", show_default=True, help="of the file in bench/results"
)
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(
    names: tuple[str, ...], seeds: int, n_train: int, n_valid: int, stored_px: int, name: str,
    results: Path, **given: Path | None,
) -> None:  # fmt: skip
    folders = {of: folder.resolve() for of, folder in given.items() if folder}
    folders = {"textile": textile().resolve(), **folders}
    options = {"n_train": n_train, "n_valid": n_valid, "stored_px": stored_px}
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": shown(sys.argv[1:], "bench.network_choices", tuple(f"--{of}" for of in given)),
        **options, "network_choices": [],
    }  # fmt: skip
    rows = found["network_choices"] = earlier_rows(results, found, "network_choices", options)
    done = {(row["set"], row["seed"], row["network"]) for row in rows}
    for seed in range(seeds):
        for of in SETS:
            kind = KINDS[of]
            wanted = [network for network in names if (of, seed, network) not in done]
            if kind.folder not in folders or not wanted:
                continue
            with tempfile.TemporaryDirectory(prefix="network-choices-") as temporary:
                work = Path(temporary).resolve()
                labels = labels_in(folders[kind.folder], kind.several)
                counts = {"train": n_train, "valid": n_valid, "test": 0}
                drawn = draw(labels, kind, counts, seed)
                del drawn["test"]
                pictures = work / "pictures"
                write_set(folders[kind.folder], labels, drawn, pictures, stored_px, kind.several)
                clone = ours.Clone(work / "clone", {})
                for network in wanted:
                    look = first_look(clone, pictures, kind.view, network, seed)
                    rows.append({"set": of, "seed": seed, "network": network, **look})
                    click.echo(json.dumps(rows[-1]), err=True)
                    write_result(results, found)


if __name__ == "__main__":
    main()
