"""`headstart`: what a person at a terminal needs beside `dvc` and `mlflow`."""

import hashlib
import importlib
import json
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from headstart.core.section import Section
from headstart.core.sizes import px
from headstart.core.state import Row
from headstart.experiment_commands import folds, seeds
from headstart.network_commands import check_gradients, predict
from headstart.params import PARAMS_FILE, ParamsError, load_section, read_params
from headstart.steps.publish_run import publish_run
from headstart.store.runs import RunRecord, parse_run
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


@main.command()
@click.argument("rev", required=False)
def sync(rev: str | None) -> None:
    """Add MLflow's row for the results of the workspace, or of REV (a commit, tag or branch).

    After `git checkout`, `dvc exp apply` or `dvc pull` no stage runs, so none tells MLflow. This
    adds the row unless the store has it, and logs the runs of stages that the store lacks.
    """
    from headstart.tracking import Tracker, project_root

    row, records = _row_of(project_root(), rev)
    name = f"{rev or 'the workspace'}, state {row.state[:8]}"
    try:
        tracker = Tracker()
        if tracker.has_row(row.state):
            click.echo(f"MLflow has the row already: {name}.")
            return
        run_id = tracker.add_row(row, records)
    except Exception as error:
        raise click.ClickException(f"MLflow does not answer: {error}") from None
    click.echo(f"Added the row {run_id} with {len(records)} stage run(s): {name}.")


def _row_of(root: Path, rev: str | None) -> tuple[Row, list[RunRecord]]:
    """The row that dvc.lock tells of, checked against the metrics files, and the runs behind it."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from ruamel.yaml import YAML

    where = f" at {rev}" if rev else ""
    try:
        files = DVCFileSystem(str(root), rev=rev)
        lock = YAML(typ="safe", pure=True).load(files.read_text("dvc.lock"))
        stage = lock["stages"]["publish-run"]
    except (FileNotFoundError, KeyError):
        raise click.ClickException(
            f"dvc.lock{where} knows no publish-run: run `dvc repro`, or name another revision."
        ) from None
    except DvcException as error:
        raise click.ClickException(str(error)) from None
    metrics: dict[str, Any] = {}
    records = []
    digests = {dependency["path"]: dependency.get("md5") for dependency in stage["deps"]}
    for option, path in pairwise(shlex.split(stage["cmd"])):
        content = _read(files, path) if option in ("--metrics", "--run") else None
        if option == "--metrics":
            if content is None or hashlib.md5(content).hexdigest() != digests.get(path):
                raise click.ClickException(
                    f"{path}{where} is not the file that dvc.lock tells of: run `dvc repro`."
                )
            metrics[Path(path).stem] = json.loads(content)
        elif content is not None:
            records.append(parse_run(content.decode(), path))
    return publish_run(stage["params"][str(PARAMS_FILE)], metrics), records


def _read(files: Any, path: str) -> bytes | None:
    """The file's content, or None where neither the workspace nor DVC's cache has it."""
    from dvc.exceptions import DvcException

    try:
        content: bytes = files.read_bytes(path)
    except (OSError, DvcException):
        return None
    return content


def _model(place: str) -> type[Section]:
    module, _, name = place.rpartition(".")
    model: type[Section] = getattr(importlib.import_module(module), name)
    return model
