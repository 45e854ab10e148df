"""The floor of a recipe: a logistic regression on the same frozen activations.

Run: python -m bench.floor              (the workspace's results)
     python -m bench.floor fold-0 fold-1 …  (experiments or commits, as `headstart folds` names them)

The penalty is the best of five on the pictures that are scored, which makes the floor as strong as it
can be; with `--by-folds` it is the best on folds of train alone, as bench.zero_tuning chooses it.

The regression is fitted on the plain activations of train at the largest cached size, standardised.
It predicts the plain view of valid and test. If a recipe's last size is larger than its cached
sizes, `--activations` gives the floor at full size: it names the cache of another state with the
same pictures. The table compares the floor with the recipe's final TTA prediction of the same
pictures. The interval of the difference is a paired bootstrap over pictures. A picture that several
results (seeds) predict counts once, with the mean of its scores. Thresholds of many labels are
found as in the recipe: on valid, cross-fitted where valid itself is scored.

Axis letters: N images, D features, K classes.
"""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from dvc.api import DVCFileSystem
from numpy.typing import NDArray
from ruamel.yaml import YAML
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headstart.activations.stored import Activations, read_activations
from headstart.commands.spread import mean_and_sd
from headstart.evaluation.intervals import bootstrap_mean
from headstart.evaluation.predictions import Predictions, read_predictions
from headstart.labels.labels import Labels, read_labels
from headstart.scores.multi_label import f_beta
from headstart.scores.thresholds import cross_fitted, decide, find_thresholds
from headstart.steps.tta_evaluate import KINDS

Floats = NDArray[np.float64]
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
N_FOLDS = 5


def floor_probabilities(
    train: NDArray[np.float32], targets: NDArray[Any], features: NDArray[np.float32], c: float
) -> Floats:
    """(N, K) Probabilities by a regression on `train` (M, D); targets (M,), or (M, K) of 0 and 1."""

    def fitted(wanted: NDArray[Any]) -> Floats:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 200 steps are enough to rank
            model.fit(train, wanted)
        return np.asarray(model.predict_proba(features), np.float64)

    if targets.ndim == 1:
        return fitted(targets)
    columns = []
    for wanted in targets.T:
        constant = wanted.min() == wanted.max()  # all pictures of train have the label, or none
        columns.append(np.full(len(features), wanted[0]) if constant else fitted(wanted)[:, 1])
    return np.stack(columns, axis=1)


def penalty_by_folds(train: NDArray[np.float32], targets: NDArray[Any]) -> float:
    """The inverse penalty with the lowest log loss on the held-out folds of train.

    Args:
        train: (M, D) features, M at least N_FOLDS.
        targets: class numbers (M,), in stratified folds where a class has a picture for each; or 0
            and 1, (M, K).
    """
    one_of_many = targets.ndim == 1
    stratified = one_of_many and np.bincount(targets).max() >= N_FOLDS
    folds = (StratifiedKFold if stratified else KFold)(N_FOLDS, shuffle=True, random_state=0)
    hot = targets == 1 if targets.ndim > 1 else targets[:, None] == np.arange(targets.max() + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer pictures than folds
        parts = list(folds.split(train, targets if one_of_many else None))

    def loss(c: float) -> float:
        found = np.zeros(hot.shape)
        for fitted, held_out in parts:
            known = np.unique(targets[fitted]) if one_of_many else np.arange(hot.shape[1])
            rows = floor_probabilities(train[fitted], targets[fitted], train[held_out], c)
            found[np.ix_(held_out, known)] = rows
        of_truth = np.where(hot, found, 1.0 if one_of_many else 1 - found)
        return float(-np.log(of_truth.clip(1e-15)).sum(axis=1).mean())

    return min(INVERSE_PENALTIES, key=loss)


def scores(
    probabilities: Floats,
    predictions: Predictions,
    split: str,
    valid: tuple[Floats, Any],
    search: Any,
) -> dict[str, Floats]:
    """Scores of each picture of `split`, each (N,): accuracy and log loss, or F2 of many labels."""
    if predictions.task == "single_label":
        wanted = predictions.class_numbers()
        of_wanted = probabilities[np.arange(len(wanted)), wanted]
        return {
            "accuracy": np.asarray(probabilities.argmax(axis=1) == wanted, np.float64),
            "log loss": -np.log(of_wanted.clip(1e-15)),
        }
    truth = predictions.multi_hot()
    if split == "valid":
        decided = cross_fitted(probabilities, truth, search, predictions.folds())
    else:
        decided = decide(probabilities, find_thresholds(*valid, search))
    return {"F2": f_beta(decided, truth)}


Memo = dict[tuple[float, int], dict[str, Floats]]


def floor_of(cached: Activations, labels: Labels, c: float, memo: Memo) -> dict[str, Floats]:
    """Floor (N, K) of the labelled pictures of valid and of test; results of one split share a fit."""
    train = labels.labelled("train")
    key = (c, hash((tuple(train), labels.table["split"].str.cat())))
    if key not in memo:
        parts = {split: labels.labelled(split) for split in ("valid", "test")}
        ids = [picture for of_one in parts.values() for picture in of_one]
        found = floor_probabilities(
            cached.of(train)[0], labels.targets(train), cached.of(ids)[0], c
        )
        n_valid = len(parts["valid"])
        memo[key] = {"valid": found[:n_valid], "test": found[n_valid:]}
    return memo[key]


def penalty_of(cached: Activations, labels: Labels) -> float:
    """The inverse penalty that folds of the labelled pictures of train choose."""
    train = labels.labelled("train")
    return penalty_by_folds(cached.of(train)[0], labels.targets(train))


def compared(
    whole: Predictions, others: Mapping[str, Mapping[str, Floats]], search: Any
) -> dict[tuple[str, str], pd.DataFrame]:
    """By (split, score): one row per labelled picture, with id and the scores of plain, tta, others.

    Args:
        whole: our predictions.
        others: name, split -> (N, K) probabilities of the split's labelled pictures, in their order.
        search: of the thresholds of many labels.
    """
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    valid: dict[str, Any] = {}
    for split in ("valid", "test"):
        chosen = whole.labelled(split)
        if not len(chosen.table):
            continue
        found: dict[str, dict[str, Floats]] = {}
        by_name: dict[str, Floats] = {kind: chosen.probabilities(kind) for kind in KINDS}
        by_name |= {name: of_splits[split] for name, of_splits in others.items()}
        for name, probabilities in by_name.items():
            if split == "valid" and chosen.task == "multi_label":
                valid[name] = (probabilities, chosen.multi_hot())
            found[name] = scores(probabilities, chosen, split, valid.get(name, ()), search)
        for score in found[KINDS[0]]:
            columns = {name: by_score[score] for name, by_score in found.items()}
            tables[split, score] = pd.DataFrame({"id": chosen.table["id"], **columns})
    return tables


def load(rev: str | None, elsewhere: Path | None) -> tuple[Activations, Labels, Predictions, str]:
    """Read a state of the project: a commit or an experiment `rev`, or the workspace if None.

    If `elsewhere` is given, the plain activations are read from that folder.
    """
    files = DVCFileSystem(rev=rev)
    params = YAML(typ="safe", pure=True).load(files.read_text("params.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        index = "data/1_index"
        wanted = [f"{index}/labels.parquet", f"{index}/test_labels.parquet"]
        wanted.append("data/5_predictions/predictions.parquet")
        if elsewhere is None:
            wanted.append("data/3_activations/plain")
        for path in wanted:
            paths[path] = Path(folder, Path(path).name)
            files.get(path, str(paths[path]), recursive=True)
        labels, test_labels, predictions, *own = paths.values()
        cached = largest(elsewhere or own[0])
        search = params["tta_evaluate"]["thresholds"]
        known = read_labels(labels, test_labels)
        return cached, known, read_predictions(predictions), search


def largest(folder: Path) -> Activations:
    """The activations of the largest cached size, in memory."""
    sizes = read_activations(folder).by_size
    cached = sizes[max(sizes)]
    return Activations(np.array(cached.features), cached.ids, cached.manifest)


@click.command(help=__doc__)
@click.argument("revs", nargs=-1)
@click.option(
    "--c", type=float, help="inverse penalty; default: the best of five, on what is scored"
)
@click.option("--by-folds", is_flag=True, help="the best of five, on five folds of train")
@click.option(
    "--activations",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="the folder data/3_activations/plain of another state, in place of each result's own",
)
def main(revs: tuple[str, ...], c: float | None, by_folds: bool, activations: Path | None) -> None:
    if c and by_folds:
        raise click.UsageError("give --c or --by-folds, not both.")
    tables: dict[tuple[str, str], dict[str, list[pd.DataFrame]]] = {}
    memo: Memo = {}
    for rev in revs or (None,):
        cached, labels, whole, search = load(rev, activations)
        penalties = {f"{penalty:g}": penalty for penalty in ((c,) if c else INVERSE_PENALTIES)}
        if by_folds:
            penalties = {"by folds": penalty_of(cached, labels)}
        for shown, penalty in penalties.items():
            others = {"floor": floor_of(cached, labels, penalty, memo)}
            for key, table in compared(whole, others, search).items():
                tables.setdefault(key, {}).setdefault(shown, []).append(table)
    head = (
        "split, score",
        "pictures",
        "plain",
        "TTA",
        "floor",
        "C",
        "TTA less floor, 95 % interval",
    )
    for line in (head, ("---",) * len(head)):
        click.echo(f"| {' | '.join(line)} |")
    for (split, score), by_penalty in tables.items():
        pooled = {c: pd.concat(parts).groupby("id").mean() for c, parts in by_penalty.items()}
        # the strongest floor: its penalty is chosen on the pictures that are scored
        floors = {c: float(table["floor"].mean()) for c, table in pooled.items()}
        choose = min if score == "log loss" else max
        best = choose(floors, key=floors.__getitem__)
        difference = (pooled[best]["tta"] - pooled[best]["floor"]).to_numpy(np.float64)
        low, high = bootstrap_mean(difference, 10_000, 0.95, np.random.default_rng(0))
        results = [table[list(KINDS)].mean() for table in by_penalty[best]]  # one per result
        cells = (
            f"{split}, {score}",
            str(len(difference)),
            *(mean_and_sd([float(result[kind]) for result in results]) for kind in KINDS),
            f"{floors[best]:.4f}",
            best,
            f"{difference.mean():+.4f} ({low:+.4f} to {high:+.4f})",
        )
        click.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
