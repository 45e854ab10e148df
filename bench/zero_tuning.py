"""Compare `headstart init` and `dvc repro`, nothing tuned, with fastai at its best and with the floor.

Run: pip install -e '.[bench]'
     python -m bench.zero_tuning --dogscats FOLDER --dogbreeds FOLDER --planet FOLDER
     (an hour and a half on two cores; a run that was stopped resumes)

The sets are textile, dogs and cats, the 40 largest dog breeds of the folder, Planet, and two made of
dogs and cats: `few` has 20 pictures a class in train, `rare` one class with 5 % of train. The folders
have the form that the headers of the recipes describe. A seed draws the pictures of train, valid and
test, and seeds the training. Pictures are stored with small shorter sides, so that `headstart init`
chooses a small network input, and the machine needs minutes.

headstart runs in a fresh clone of the last commit, without warm processes at its start. The seeds of
the training stages are the only values of params.yaml that the bench changes. fastai runs
`vision_learner`, `lr_find`, `fine_tune` and `tta` with the same network, weights, pictures, input size
and batches, for the epochs of fine-tuning that params.yaml has, at least three (after one frozen epoch,
its default). The floor is a logistic regression on the same frozen activations; folds of train choose
its penalty.

Scores are of test, which nobody chose anything on: accuracy, or F2 at one threshold found on valid.
The time to fastai's score runs from the start of `headstart init` to the end of the first stage whose
checkpoint has fastai's score on plain views of valid. fastai's time is that of its whole process.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench import ours
from bench.compare import fastai, machine, shown, textile
from bench.floor import compared, floor_of, largest, penalty_of
from bench.tables import RESULTS, earlier_rows, write_result
from bench.zero_sets import KINDS, Kind, draw, labels_in, write_set
from bench.zero_table import zero_table
from headstart.evaluation.predictions import Predictions, read_predictions
from headstart.labels.labels import Labels, read_labels
from headstart.pictures.table import read_pictures
from headstart.project.params import read_params
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams
from headstart.tracking.records import read_run

SCORE = {"single_label": "accuracy", "multi_label": "F2"}
STAGE_OF = {"head": "train_head", "augmented": "train_augmented", "finetuned": "unfreeze_finetune"}
# fastai's fastest on two cores, by bench.compare
FASTAI = {"passive": False, "last": True, "n_workers": 0}


class Run:
    """The three contenders on one set with one seed.

    Args:
        work: an empty folder.
        source: folder of the real pictures.
        kind: of the set.
        seed: of the draw and of the training.
        options: n_train, n_valid, n_test, stored_px, textile_px, least_epochs.
    """

    def __init__(
        self, work: Path, source: Path, kind: Kind, seed: int, options: Mapping[str, Any]
    ) -> None:
        self._work, self._kind, self._seed, self._options = work, kind, seed, options
        labels = labels_in(source, kind.several)
        counts = {split: options[f"n_{split}"] for split in ("train", "valid", "test")}
        self._pictures = work / "pictures"
        drawn = draw(labels, kind, counts, seed)
        px = options["textile_px" if kind.folder == "textile" else "stored_px"]
        self._table = write_set(source, labels, drawn, self._pictures, px, kind.several)
        self._clone = ours.Clone(work / "clone", {})
        runtime = work / "run"  # so that no process is warm at the start
        runtime.mkdir(mode=0o700)
        self._clone.environment["XDG_RUNTIME_DIR"] = str(runtime)

    def result(self) -> dict[str, Any]:
        """Scores of each picture of test, scores of our checkpoints, seconds, and the settings."""
        mine, start = self._ours()
        whole = read_predictions(self._clone.root / "data/5_predictions/predictions.parquet")
        index = self._clone.root / "data/1_index"
        labels = read_labels(index / "labels.parquet", index / "test_labels.parquet")
        checkpoints = self._checkpoints(start, SCORE[whole.task])
        _say("headstart", mine, checkpoints)
        c, by_floor = self._floor(labels)
        _say("floor", {"c": c})
        theirs, by_fastai = self._fastai(whole, mine)
        _say("fastai", theirs)
        search = read_params(self._clone.root / "params.yaml")["tta_evaluate"]["thresholds"]
        tables = compared(whole, {"floor": by_floor, **by_fastai}, search)
        test = tables["test", SCORE[whole.task]]
        valid = tables["valid", SCORE[whole.task]]
        columns = [column for column in test.columns if column != "id"]
        return {
            "score": SCORE[whole.task], **mine, **theirs, "c": c, "checkpoints": checkpoints,
            "fastai_valid": float(valid["fastai"].mean()),
            "pictures": " ".join(test["id"]),
            "scores": {key: " ".join(f"{x:.4g}" for x in test[key]) for key in columns},
        }  # fmt: skip

    def _ours(self) -> tuple[dict[str, Any], float]:
        """Seconds and what `init` chose; and the time of the start, in seconds since 1970."""
        start = time.time()
        init_s = self._clone.init(str(self._pictures), "--view", self._kind.view)
        params = read_params(self._clone.root / "params.yaml")
        self._clone.edit(ours.seeds_of(self._seed))
        seconds = init_s + self._clone.repro("")
        phases = UnfreezeFinetuneParams.model_validate(params["unfreeze_finetune"]).phases
        about = {
            "seconds": seconds, "init_seconds": init_s, "size_px": params["backbone"]["size_px"],
            "batch": params["optimizer_finetune"]["batch_size"],
            "epochs": max(sum(phase.n_epochs() for phase in phases), self._options["least_epochs"]),
        }  # fmt: skip
        return about, start

    def _checkpoints(self, start: float, score: str) -> list[tuple[str, float, float]]:
        """Name, seconds until it was there, and score of valid of each; the last is with TTA."""
        found = self._clone.metrics("tta_evaluate")

        def at(stage: str) -> float:
            run = read_run(self._clone.root / f"data/7_runs/{stage}.json")
            return round(run.ended_ms / 1000 - start, 1)

        made = [
            (name, at(STAGE_OF[name]), scores["valid"]["plain"][score.lower()])
            for name, scores in found["checkpoints"].items()
        ]
        return [*made, ("TTA", at("tta_evaluate"), found["valid"]["tta"][score.lower()])]

    def _floor(self, labels: Labels) -> tuple[float, dict[str, Any]]:
        cached = largest(self._clone.root / "data/3_activations/plain")
        c = penalty_of(cached, labels)
        return c, floor_of(cached, labels, c, {})

    def _fastai(
        self, whole: Predictions, mine: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Its rate and seconds; its probabilities of the pictures of `whole`, plain and with TTA."""
        out = self._work / "fastai.npz"
        weights = self._clone.root / "data/0_source/backbone.safetensors"
        learner = {
            "pictures": str(self._pictures), "weights": str(weights),
            "size_px": mine["size_px"], "batch": mine["batch"],
            "last": FASTAI["last"], "n_workers": FASTAI["n_workers"],
        }  # fmt: skip
        setting = {
            "learner": learner, "passive": FASTAI["passive"], "threads": 0, "out": str(out),
            "table": str(self._table), "several": self._kind.several, "view": self._kind.view,
            "epochs": mine["epochs"],
        }  # fmt: skip
        start = time.perf_counter()
        found = fastai("fine_tune", setting, "--seed", str(self._seed))
        seconds = time.perf_counter() - start
        made = np.load(out)
        index = read_pictures(self._clone.root / "data/1_index/pictures.parquet")
        row_of = {file: row for row, file in enumerate(made["files"].tolist())}
        row_of_id = {
            picture: row_of[paths[0]]
            for picture, paths in zip(index["id"], index["paths"], strict=True)
            if paths[0] in row_of
        }
        classes = made["classes"].tolist()
        columns = [classes.index(name) for name in whole.classes]
        rows = {
            split: [row_of_id[picture] for picture in whole.labelled(split).table["id"]]
            for split in ("valid", "test")
        }
        by_fastai = {
            who: {
                split: made[kind][np.ix_(of, columns)].astype(float) for split, of in rows.items()
            }
            for who, kind in (("fastai", "plain"), ("fastai_tta", "tta"))
        }
        parts = found["seconds"]
        return {"fastai_seconds": seconds, "fastai_parts": parts, "lr": found["lr"]}, by_fastai


def _say(*what: Any) -> None:
    click.echo(json.dumps(what), err=True)


@click.command(help=__doc__)
@click.option("--dogscats", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dogbreeds", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--planet", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--sets", default=",".join(KINDS), show_default=True, help="those without a folder are left out"
)
@click.option("--seeds", default=3, show_default=True)
@click.option("--n-train", default=300, show_default=True)
@click.option("--n-valid", default=200, show_default=True)
@click.option("--n-test", default=200, show_default=True)
@click.option("--stored-px", default=128, show_default=True, help="shorter side of the pictures")
@click.option("--textile-px", default=160, show_default=True, help="of textile's: small defects")
@click.option("--least-epochs", default=3, show_default=True, help="of fastai's fine_tune")
@click.option(
    "--name", default="zero_tuning", show_default=True, help="of the file in bench/results"
)
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(sets: str, seeds: int, name: str, results: Path, **options: Any) -> None:
    given = {of: options.pop(of) for of in ("dogscats", "dogbreeds", "planet")}
    folders = {of: folder.resolve() for of, folder in given.items() if folder}
    folders = {"textile": textile().resolve(), **folders}
    if unknown := set(sets.split(",")) - KINDS.keys():
        raise click.UsageError(f"--sets has {min(unknown)}; the sets are {', '.join(KINDS)}.")
    chosen = [of for of in sets.split(",") if KINDS[of].folder in folders]
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": shown(sys.argv[1:], "bench.zero_tuning", [f"--{of}" for of in given]),
        **options, "zero_tuning": [],
    }  # fmt: skip
    rows = found["zero_tuning"] = earlier_rows(results, found, "zero_tuning", options)
    done = {(row["set"], row["seed"]) for row in rows}
    for seed in range(seeds):  # all sets first, so that a run that is cut off has a whole table
        for of in chosen:
            if (of, seed) in done:
                continue
            click.echo(f"{of}, seed {seed}", err=True)
            with tempfile.TemporaryDirectory(prefix="zero-tuning-") as work:
                run = Run(Path(work).resolve(), folders[KINDS[of].folder], KINDS[of], seed, options)
                rows.append({"set": of, "seed": seed, **run.result()})
            write_result(results, found)
    click.echo(zero_table(found))


if __name__ == "__main__":
    main()
