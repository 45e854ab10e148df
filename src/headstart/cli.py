"""`headstart`: what a person at a terminal needs beside `dvc` and `mlflow`."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from headstart.core.section import Section
from headstart.core.sizes import px
from headstart.experiment_commands import folds, seeds
from headstart.network_commands import check_gradients, predict
from headstart.params import PARAMS_FILE, ParamsError, load_section, read_params
from headstart.sync_command import sync
from headstart.terminal import PlainGroup

SHARED = {
    "dataset": "headstart.store.images.DatasetParams",
    "backbone": "headstart.learn.backbone.BackboneParams",
    "head": "headstart.learn.head.HeadParams",
    "augment": "headstart.core.augment.AugmentParams",
    "sampling": "headstart.core.sampling.SamplingParams",
    "optimizer_head": "headstart.learn.optimizer.OptimizerParams",
    "optimizer_finetune": "headstart.learn.phases.FinetuneOptimizerParams",
    "runtime": "headstart.learn.device.RuntimeParams",
}
OWN = (
    *("index_images", "resize", "precompute_views"),
    *("find_lr_head", "train_head", "train_augmented", "find_lr_finetune", "unfreeze_finetune"),
    *("tta_evaluate", "confusion_report", "write_submission"),
)
SECTIONS = SHARED | {
    name: f"headstart.steps.{name}.{name.title().replace('_', '')}Params" for name in OWN
}


@click.group(cls=PlainGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Help around the pipeline; `dvc repro` runs it.

    \b
    dvc repro                             bring every result up to date
    headstart check                       is every value of params.yaml allowed?
    headstart sync                        MLflow's row for results that DVC restored
    dvc exp run -S train_head.lr=0.005    try a value, keep the experiment
    headstart folds 5                     each fold once as valid: mean and spread
    headstart seeds 3                     another seed each: mean and spread of training
    headstart predict ...                 the class of a picture, by the fine-tuned network
    headstart check-gradients ...         which precision may train this network?
    mlflow ui                             compare the rows
    """


main.add_command(predict)
main.add_command(check_gradients)
main.add_command(folds)
main.add_command(seeds)
main.add_command(sync)


@main.command()
@click.argument("params", type=click.Path(path_type=Path), default=PARAMS_FILE)
def check(params: Path) -> None:
    """Check every section of PARAMS (default: params.yaml) and tell all problems at once."""
    try:
        found = read_params(params)
    except ParamsError as error:
        raise click.ClickException(str(error)) from None
    known = ", ".join(SECTIONS)
    problems = [
        f"{params}: {name} is not a section (known: {known})."
        for name in found
        if name not in SECTIONS
    ]
    loaded: dict[str, Any] = {}
    for name, place in SECTIONS.items():
        try:
            loaded[name] = load_section(name, _model(place), params)
        except ParamsError as error:
            problems.append(str(error))
    if not problems:
        problems = [f"{params}: {problem}" for problem in _size_problems(loaded)]
    if problems:
        raise click.ClickException("\n".join(problems))
    click.echo(f"{params}: all {len(SECTIONS)} sections are right.")


def _size_problems(sections: Mapping[str, Any]) -> Iterator[str]:
    """What no section knows alone: the sizes of phases against those of the backbone."""
    body = sections["backbone"]
    sizes = {"find_lr_finetune.size_px": sections["find_lr_finetune"].size_px}
    for name in ("train_augmented", "unfreeze_finetune"):
        for number, phase in enumerate(sections[name].phases):
            sizes[f"{name}.phases.{number}.size_px"] = phase.size_px
    for key, size in sizes.items():
        try:
            size_px = px(size, body.size_px, key)
        except ValueError as error:
            yield str(error)
            continue
        if key.startswith("train_augmented") and size_px not in body.cached_sizes():
            cached = ", ".join(map(str, body.cached_sizes()))
            yield (
                f"{key} is {size}, whose activations are not cached: backbone.cached_px stands for "
                f"{cached} px; name the size there too."
            )


def _model(place: str) -> type[Section]:
    module, _, name = place.rpartition(".")
    model: type[Section] = getattr(importlib.import_module(module), name)
    return model
