"""Compare the rules that read a rate off a range test: score the recipes at each rule's rates.

Run: python -m bench.lr_rules --dogscats FOLDER --dogbreeds FOLDER --planet FOLDER
     (about an hour on one core; a run that was stopped resumes)

The sets are textile and up to three folders, in the form that the headers of their recipes
describe. For each seed:
- a range test of the head;
- for each rule, the head with `train_head.lr: auto`, continued on augmented views at the recipe's rate;
- a range test of the whole network; for all rules it starts from the head at the recipe's rates;
- for each rule, the first phase of fine-tuning with `lr: auto`.

`recipe` stands for the rates of the recipe, which were found by hand. They also replace a rate that a
rule does not give. Everything else is as in the recipe, except the input sizes, the number of training
pictures and the split: the labelled pictures of valid and test are halved anew, at most
`--n-score` each.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from bench.compare import machine, textile
from bench.pictures import SPARE, listed, stored
from bench.tables import RESULTS, earlier_rows, rules_table, write_result
from headstart.activations.computed import Computation
from headstart.activations.frozen import FrozenBackbone
from headstart.activations.stored import Activations, SizedActivations
from headstart.backbone.backbone import Backbone, BackboneParams, load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.indexing.index import Index
from headstart.indexing.params import IndexImagesParams
from headstart.labels.labels import Labels
from headstart.network.checkpoints import Checkpoint, Training
from headstart.network.head import HeadParams
from headstart.prediction.predictor import Predictor, Trained
from headstart.project.params import read_params
from headstart.project.report import Silent
from headstart.project.section import Section
from headstart.scores.folds import folds_of
from headstart.scores.multi_label import f_beta
from headstart.scores.thresholds import cross_fitted, decide, find_thresholds
from headstart.steps.find_lr_finetune import FindLrFinetuneParams, find_lr_finetune
from headstart.steps.find_lr_head import FindLrHeadParams, find_lr_head
from headstart.steps.index_images import index_images
from headstart.steps.precompute_activations import precompute_activations
from headstart.steps.precompute_views import PrecomputeViewsParams, precompute_views
from headstart.steps.train_augmented import TrainAugmentedParams, train_augmented
from headstart.steps.train_head import TrainHeadParams, train_head
from headstart.steps.unfreeze_finetune import UnfreezeFinetuneParams, unfreeze_finetune
from headstart.training.lr_curve import RULES, LrCurve, Suggestion, suggest
from headstart.training.optimizer import OptimizerParams
from headstart.training.phases import FinetuneOptimizerParams
from headstart.training.sampling import SamplingParams
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

S = TypeVar("S", bound=Section)
RECIPES = {
    "textile": "params.yaml",
    "dogscats": "recipes/dogscats-lite0.yaml",
    "dogbreeds": "recipes/dogbreeds-lite0.yaml",
    "planet": "recipes/planet-lite0.yaml",
}
BY_HAND = "recipe"
N_ITER = 40  # of the range test before fine-tuning, which some recipes skip
QUIET, PLAIN = Silent(), (0.0, 0.0)


class Recipe:
    """The sections of a recipe, all at one input size."""

    def __init__(self, path: str) -> None:
        self._values = read_params(Path(path))
        self._values["backbone"]["cached_px"] = ["full"]
        finetune = self._values["unfreeze_finetune"]
        finetune["phases"] = finetune["phases"][:1]
        for phase in (*self._values["train_augmented"]["phases"], *finetune["phases"]):
            phase["size_px"] = "full"
        self._values["find_lr_finetune"] |= {"size_px": "full", "n_iter": N_ITER}

    def section(self, name: str, model: type[S], **changes: Any) -> S:
        return model.model_validate(self._values[name] | changes)


def split_anew(index: Index, n_train: int, n_score: int) -> Labels:
    """Cut train to `n_train` pictures; halve the labelled pictures of valid and test anew."""
    labels = index.labels
    rng = np.random.default_rng(0)
    train = rng.permutation(labels.labelled("train"))[:n_train]
    others = rng.permutation([*labels.labelled("valid"), *labels.labelled("test")])
    half = min(len(others) // 2, n_score)
    parts = {"train": train, "valid": others[:half], "test": others[-half:]}
    split_of = {picture: split for split, ids in parts.items() for picture in ids}
    table = labels.table[labels.table["id"].isin(split_of)].copy()
    table["split"] = table["id"].map(split_of)
    return Labels(table.reset_index(drop=True), labels.classes, labels.task)


def computed(computation: Computation) -> SizedActivations:
    """The activations of one size, computed into memory."""
    features = np.stack([np.stack(list(computation.rows(v))) for v in range(computation.n_views)])
    cached = Activations(features, computation.ids, computation.manifest)
    return SizedActivations(cached.manifest.size_px, {cached.manifest.size_px: cached})


class Bed:
    """One set of pictures, with everything that does not depend on a rate.

    Args:
        name: a name in RECIPES.
        folder: folder of its pictures.
        weights: file of the backbone.
        work: folder for the resized pictures.
        options: n_train, n_score, size_px.
    """

    def __init__(
        self, name: str, folder: Path, weights: Path, work: Path, options: Mapping[str, Any]
    ) -> None:
        self.recipe = recipe = Recipe(RECIPES[name])
        self._weights = weights
        split = recipe.section("index_images", IndexImagesParams).split
        fracs = {"valid_frac": 0.25, "test_frac": 0.25} if split == "stratified" else {}
        rule = recipe.section("index_images", IndexImagesParams, **fracs)
        files = listed(folder, work / "images")
        index = index_images(files, files.sha256, files.forms, rule, QUIET)
        self.labels = split_anew(index, options["n_train"], options["n_score"])
        kept = index.pictures[index.pictures["id"].isin(self.labels.table["id"])]
        index = Index(**{**vars(index), "pictures": kept.reset_index(drop=True)})
        size_px = options["size_px"]
        resized = stored(files, index, work, round(SPARE * size_px))
        frame = recipe.section("backbone", BackboneParams).frame()
        backbone = self.backbone()
        self.compute = backbone.compute
        self.pictures = Pictures.of(resized, size_px, frame, self.compute.device).remembered()
        self.augment = recipe.section("augment", AugmentParams)
        frozen = FrozenBackbone(backbone, self.pictures, QUIET)
        views = recipe.section("precompute_views", PrecomputeViewsParams)
        train = self.labels.ids("train")
        self.plain = computed(precompute_activations(frozen, resized.ids, "of the bench"))
        self.views = computed(precompute_views(frozen, train, "of the bench", self.augment, views))
        self.sampling = recipe.section("sampling", SamplingParams)
        self.optimizer = recipe.section("optimizer_finetune", FinetuneOptimizerParams)
        self.head_optimizer = recipe.section("optimizer_head", OptimizerParams)
        self.head = recipe.section("head", HeadParams)

    def backbone(self) -> Backbone:
        """A fresh copy of the frozen original."""
        runtime = RuntimeParams(precision="auto", deterministic=True)
        return load_backbone(self._weights).on(prepare(runtime))

    def scores(self, checkpoint: Checkpoint) -> dict[str, float]:
        """Accuracy, or F2 of many labels at thresholds from valid, of plain views of valid and test."""
        ids = {split: self.labels.labelled(split) for split in ("valid", "test")}
        predictor = Predictor(
            self.backbone(), {"it": Trained([checkpoint.tensors], self.pictures.size_px)},
            self.pictures, self.augment, 0, 0, self.labels.task, QUIET,
        )  # fmt: skip
        found = {split: predictor(of_split)["it"][0] for split, of_split in ids.items()}
        wanted = {split: self.labels.targets(of_split) for split, of_split in ids.items()}
        if self.labels.task == "single_label":
            right = {split: found[split].argmax(axis=1) == wanted[split] for split in ids}
            return {split: float(of_split.mean()) for split, of_split in right.items()}
        truth = {split: wanted[split].astype(bool) for split in ids}
        thresholds = find_thresholds(found["valid"], truth["valid"], "global")
        decided = {
            "valid": cross_fitted(found["valid"], truth["valid"], "global", folds_of(ids["valid"])),
            "test": decide(found["test"], thresholds),
        }
        return {split: float(f_beta(decided[split], truth[split]).mean()) for split in ids}


@dataclass(frozen=True)
class Seed:
    """The steps of the recipe on one bed, with one seed."""

    bed: Bed
    seed: int

    def head_curve(self) -> LrCurve:
        bed, params = self.bed, self._section("find_lr_head", FindLrHeadParams)
        return find_lr_head(
            bed.plain.first(), bed.labels, params, bed.head, bed.head_optimizer, bed.sampling,
            bed.compute, QUIET,
        )  # fmt: skip

    def trained_head(self, lr: float) -> Training:
        bed, params = self.bed, self._section("train_head", TrainHeadParams, lr=lr)
        return train_head(
            bed.plain, bed.labels, params, bed.head, bed.head_optimizer, _given(lr), bed.sampling,
            bed.compute, QUIET,
        )  # fmt: skip

    def augmented(self, head: Checkpoint) -> Training:
        bed, params = self.bed, self._section("train_augmented", TrainAugmentedParams)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of views that repeat, as the recipe has them
            return train_augmented(
                bed.views, bed.plain, bed.labels, head, params, bed.head_optimizer, bed.sampling,
                bed.compute, QUIET,
            )  # fmt: skip

    def network_curve(self, start: Checkpoint) -> LrCurve:
        bed, params = self.bed, self._section("find_lr_finetune", FindLrFinetuneParams)
        return find_lr_finetune(
            bed.backbone(), start, bed.pictures, bed.labels, bed.augment, params, bed.optimizer,
            bed.sampling, QUIET,
        )  # fmt: skip

    def finetuned(self, start: Checkpoint, lr: float) -> Training:
        bed = self.bed
        phases = bed.recipe.section("unfreeze_finetune", UnfreezeFinetuneParams).phases
        phase = phases[0].model_dump(exclude_none=True) | {"lr": lr}
        params = self._section("unfreeze_finetune", UnfreezeFinetuneParams, phases=[phase])
        return unfreeze_finetune(
            bed.backbone(), start, bed.pictures, bed.labels, bed.augment, params, bed.optimizer,
            bed.sampling, _given(lr), QUIET,
        ).training  # fmt: skip

    def _section(self, name: str, model: type[S], **changes: Any) -> S:
        return self.bed.recipe.section(name, model, seed=self.seed, **changes)


def by_hand(recipe: Recipe) -> tuple[float, float]:
    """The recipe's own rates: of the head, and of the first phase of fine-tuning."""
    finetune = recipe.section("unfreeze_finetune", UnfreezeFinetuneParams)
    head = recipe.section("train_head", TrainHeadParams)
    return float(head.lr), float(finetune.phases[0].lr)


def _given(lr: float) -> Suggestion:
    return Suggestion(lr, "given")


def _shown(curve: LrCurve) -> str:
    return " ".join(f"{loss:.4g}" for loss in curve.smoothed)


class Runs:
    """The results of each rule with one seed on one bed; rules with equal rates share the work."""

    def __init__(self, made: Seed) -> None:
        bed = made.bed
        self._made, self._by_hand = made, by_hand(bed.recipe)
        head_lr, _ = self._by_hand
        self._head = cache(lambda lr: made.trained_head(lr).checkpoint)
        self._head_scores = cache(lambda lr: bed.scores(self._head(lr)))
        self._start = cache(lambda lr: made.augmented(self._head(lr)).checkpoint)
        self._end: Callable[[float, float], dict[str, Any]] = cache(self._ended)
        self._curves = cache(lambda: (made.head_curve(), made.network_curve(self._start(head_lr))))

    def of(self, rule: str) -> dict[str, Any]:
        """Both rates and the scores of a rule; `none` has the reason where a rate is the recipe's."""
        more: dict[str, Any] = {"none": {}}
        rates = list(self._by_hand)
        names = ("head", "network")
        if rule == BY_HAND:
            more["curves"] = dict(zip(names, map(_shown, self._curves()), strict=True))
        else:
            for number, (name, curve) in enumerate(zip(names, self._curves(), strict=True)):
                found = suggest(curve, rule)  # type: ignore[arg-type]
                if found.lr is None:
                    more["none"][name] = found.reason
                else:
                    rates[number] = found.lr
        head_lr, lr = rates
        scores = {"head": self._head_scores(head_lr), **self._end(head_lr, lr)}
        return {"head_lr": head_lr, "lr": lr, **scores, **more}

    def _ended(self, head_lr: float, lr: float) -> dict[str, Any]:
        """Scores of the kept network; and as `last` the score of valid after the last epoch."""
        training = self._made.finetuned(self._start(head_lr), lr)
        last = float(training.epochs["valid_score"].iloc[-1])
        return {**self._made.bed.scores(training.checkpoint), "last": last}


@click.command(help=__doc__)
@click.option(
    "--textile",
    "textile_folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="default: its package",
)
@click.option("--dogscats", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dogbreeds", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--planet", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--weights", default="data/0_source/backbone.safetensors", show_default=True)
@click.option("--n-train", default=300, show_default=True)
@click.option("--n-score", default=300, show_default=True, help="of valid, and of test")
@click.option("--size-px", default=128, show_default=True, help="of all inputs")
@click.option("--textile-px", default=160, show_default=True, help="of textile's: small defects")
@click.option("--seeds", default=3, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--name", default="lr_rules", show_default=True, help="of the file in bench/results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(
    textile_folder: Path | None, weights: str, seeds: int, threads: int, name: str, results: Path,
    **options: Any,
) -> None:  # fmt: skip
    os.environ["HEADSTART_THREADS"] = str(threads)
    others = {of: options.pop(of) for of in ("dogscats", "dogbreeds", "planet")}
    folders = {of: folder for of, folder in others.items() if folder}
    given = " ".join(f"--{of} {of}" for of in folders)
    folders = {"textile": textile_folder or textile(), **folders}
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": f"python -m bench.lr_rules {given}".strip(), **options, "lr_rules": [],
    }  # fmt: skip
    found["lr_rules"] = earlier_rows(results, found, "lr_rules", options)
    done = {(row["set"], row["seed"], row["rule"]) for row in found["lr_rules"]}
    with tempfile.TemporaryDirectory(prefix="lr-rules-") as work:

        @cache
        def bed(of: str) -> Bed:
            px = options["textile_px"] if of == "textile" else options["size_px"]
            folder = folders[of].resolve()
            weights_file = Path(weights).resolve()
            return Bed(of, folder, weights_file, Path(work, of), {**options, "size_px": px})

        for seed in range(seeds):
            for of in folders:
                runs = None
                for rule in (BY_HAND, *RULES):
                    if (of, seed, rule) in done:
                        continue
                    runs = runs or Runs(Seed(bed(of), seed))
                    row = {"set": of, "seed": seed, "rule": rule, **runs.of(rule)}
                    found["lr_rules"].append(row)
                    write_result(results, found)
                    shown = {key: value for key, value in row.items() if key != "curves"}
                    click.echo(json.dumps(shown), err=True)
    click.echo(rules_table(found))


if __name__ == "__main__":
    main()
