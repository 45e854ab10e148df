"""Random edits of a small project, and what they should rerun, worked out without DVC."""

import hashlib
import json
import shutil
import sys
from collections.abc import Collection, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from headstart.project.params import read_params
from tests.contract import ALWAYS, Stage, read_stages
from tests.scenes import encoded, scene
from tests.small_networks import small_backbone
from tests.whole_project import Project

CLASSES = ("ant", "bee", "cod")
N_PER_CLASS = 8
VALUES: dict[str, tuple[Any, Any]] = {
    "index_images.seed": (0, 1),
    "index_images.test_frac": (0.25, 0.2),
    "resize.quality": (92, 60),
    "backbone.crop_frac": (0.96, 0.8),
    "backbone.crop": ("center", "squash"),
    "head.hidden_units": (512, 16),
    "augment.brightness": (0.05, 0.2),
    "augment.symmetry": ("half_turn", "side_on"),
    "sampling.balance": ("none", "weights"),
    "optimizer_head.momentum": (0.9, 0.8),
    "optimizer_finetune.weight_decay": (0.01, 0.0),
    "runtime.precision": ("auto", "fp32"),
    "precompute_views.seed": (0, 1),
    "find_lr_head.smoothing": (0.9, 0.8),
    "train_head.seed": (0, 1),
    "train_augmented.seed": (0, 1),
    "find_lr_finetune.smoothing": (0.8, 0.7),
    "unfreeze_finetune.seed": (0, 1),
    "predict_views.seed": (0, 1),
    "tta_evaluate.mean": ("arithmetic", "geometric"),
    "confusion_report.n_pairs": (10, 2),
    "write_submission.id_column": ("id", "name"),
}  # one key of each section whose value shapes a result, and two values
NO_FUNCTION_OF_INPUTS = ("data/7_runs", "data/6_reports/report.html")  # they say when and where


def made(root: Path, repo_root: Path) -> Project:
    """A project of 24 small pictures and a small network that has not run yet."""
    project = Project(root, repo_root)
    restore_pictures(project)
    weights = root / "weights.safetensors"
    tensors = small_backbone().model.state_dict().items()
    save_file({name: tensor.contiguous() for name, tensor in tensors}, weights)
    project.quicken(
        {
            "dataset.source": str(project.pictures),
            "index_images.on_problem": "set_aside",
            "backbone.name": "test_resnet",
            "backbone.weights": str(weights),
            **{key: values[0] for key, values in VALUES.items()},
        }
    )
    return project


def restore_pictures(project: Project) -> None:
    """Make the folder of pictures anew, without any edit."""
    shutil.rmtree(project.pictures, ignore_errors=True)
    for label, name in enumerate(CLASSES):
        (project.pictures / name).mkdir(parents=True)
        for i in range(N_PER_CLASS):
            put_picture(project, f"{name}/{i}.jpg", 100 * label + i)


def put_picture(project: Project, path: str, number: int) -> None:
    file = project.pictures / path
    file.write_bytes(encoded(scene(number, (96, 80)), quality=80))


def modules(project: Project) -> list[str]:
    """Every source file of the package and the stages, from the root."""
    folders = (project.root / "src/headstart", project.root / "stages")
    files = (file for folder in folders for file in folder.rglob("*.py"))
    return sorted(file.relative_to(project.root).as_posix() for file in files)


def inputs(project: Project) -> dict[str, str]:
    """For each stage the digest of all that it declares to depend on."""
    params = read_params(project.root / "params.yaml")
    return {
        stage.name: _digest(project, stage, params)
        for stage in read_stages(project.root)
        if stage.name != ALWAYS
    }


def _digest(project: Project, stage: Stage, params: dict[str, Any]) -> str:
    paths = [project.root / dep for dep in sorted(stage.deps)]
    if stage.name == "fetch-images":
        paths.append(project.pictures)
    digest = hashlib.sha256(json.dumps(stage.words).encode())
    for section in sorted(stage.params):
        value = reduce(
            lambda found, key: found[key], section.split("."), params
        )  # or one key of it
        digest.update(json.dumps([section, value]).encode())
    for path in paths:
        for file in _files(path):
            digest.update(f"{path.name}/{file.relative_to(path)}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def copied(project: Project, root: Path, *, results: bool) -> Project:
    """A second project: with all results and DVC's cache, or as an empty clone of the same files."""
    other = object.__new__(Project)
    other.__dict__.update(project.__dict__)
    other.root = root / "clone"
    other.environment = project.environment | {"DVC_SITE_CACHE_DIR": str(root / "site")}
    left_out = ("__pycache__",) if results else (
        *("__pycache__", "data", "metrics", "dvc.lock", "scores.json", "state.json"),
        *("cache", "tmp", ".headstart", "7_runs"),
    )  # fmt: skip
    shutil.copytree(project.root, other.root, ignore=shutil.ignore_patterns(*left_out))
    return other


def tell_nobody(project: Project) -> None:
    """Let the process that tells MLflow of a stage end at once: nothing here looks at MLflow."""
    (project.root / "src/headstart/tracking/tell.py").write_text("raise SystemExit(1)\n")


def run_without_dvc(project: Project, stages: Collection[str]) -> None:
    """Run the commands of some stages, in the order of dvc.yaml."""
    for stage in read_stages(project.root):
        if stage.name in stages:
            told = {"DVC_ROOT": str(project.root), "DVC_STAGE": stage.name}
            project.run("env", *stage.words, environment=told)


def run_in_forks(project: Project, stages: Collection[str]) -> None:
    """As `run_without_dvc`, but each script runs in a fork of one process, in half of the time."""
    commands = [
        (stage.name, stage.words) for stage in read_stages(project.root) if stage.name in stages
    ]
    runner, forks = project.root / "src/headstart/warm/run.py", Path(__file__).with_name("forks.py")
    project.run(
        sys.executable, "-SE", str(runner), str(forks), json.dumps(commands),
        environment={"DVC_ROOT": str(project.root), "PYTHONPATH": "src"},
    )  # fmt: skip


def results_of(project: Project, stages: Collection[str]) -> dict[str, bytes]:
    """The bytes of every result of some stages that is a function of their inputs, by path."""
    outs = {
        out for stage in read_stages(project.root) if stage.name in stages for out in stage.outs
    }
    files = [file for out in sorted(outs) for file in _files(project.root / out)]
    named = {file.relative_to(project.root).as_posix(): file for file in files}
    return {
        name: file.read_bytes()
        for name, file in named.items()
        if not name.startswith(NO_FUNCTION_OF_INPUTS)
    }
