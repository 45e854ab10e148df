"""A clone of the working tree in which end-to-end tests run the pipeline."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.labels.labels import read_labels
from headstart.pictures.table import read_pictures
from headstart.project.params import read_params
from headstart.tracking.state import flatten, results
from headstart.tracking.tracker import Tracker
from tests.contract import ALWAYS
from tests.tracked import results_of

QUICK = {
    "resize.size_px": 64,
    "backbone.size_px": 64,
    "optimizer_head.batch_size": 8,
    "optimizer_finetune.batch_size": 8,
    "precompute_views.n_views": 2,
    "find_lr_head.n_iter": 12,
    "find_lr_finetune.n_iter": 2,
    "train_head.lr": 0.01,
    "train_head.n_epochs": 1,
    "predict_views.n_views": 1,
    "tta_evaluate.n_bootstrap": 100,
    "confusion_report.n_pictures": 2,
}
QUICK_PHASE = {"lr": 0.001, "cycles": 1, "cycle_len": 1}


def _quick_size(size: int | str) -> int | str:
    """The full size stays; any smaller size becomes 32 px."""
    return size if size == "full" else 32


def outer_environment() -> dict[str, str]:
    """The variables of this process, without those that differ between tests or change a stage.

    Stages of all tests then have the same surroundings, so one warm process serves them.
    """
    ours = ("MLFLOW_", "DVC_", "HEADSTART_", "GIT_", "PYTEST_")
    by_imports = ("_MLFLOW_", "TORCHINDUCTOR_", "KMP_")
    return {k: value for k, value in os.environ.items() if not k.startswith(ours + by_imports)}


class Project:
    """A clone of the working tree with a folder of pictures beside it."""

    def __init__(self, root: Path, repo_root: Path) -> None:
        self.said = ""
        self.root = root / "clone"
        self.pictures = root / "my pictures"
        self.environment = outer_environment() | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(root / "site"),
            "DVC_NO_ANALYTICS": "1",
            "HEADSTART_TRACKER_S": "600",  # on a busy machine all is told too
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{f"GIT_{who}_NAME": "someone" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "someone@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        files = self.run(
            "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=repo_root
        )
        for file in filter(None, files.split("\0")):
            if (repo_root / file).is_file():
                (self.root / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(repo_root / file, self.root / file)
        self.run("git", "init", "-q", "-b", "main")
        self.no_mlflow = self.root / "src/mlflow.py"
        (self.root / ".git/info").mkdir(exist_ok=True)  # not in every template of git
        (self.root / ".git/info/exclude").write_text("/src/mlflow.py\n")
        self.commit()

    def run(
        self, *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run a command and return its output; if it fails, raise with the whole output."""
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.environment | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", "a state")

    def repro(self, *targets: str) -> set[str]:
        """Run `dvc repro`, keep its output, and return the stages whose commands ran.

        check-inputs always runs, so it is not among them.
        """
        self.said = self.run("dvc", "repro", *targets)
        ran = set(re.findall(r"^Running stage '([^']+)'", self.said, re.M))
        assert ALWAYS in ran
        return ran - {ALWAYS}

    @contextmanager
    def without_mlflow(self) -> Iterator[None]:
        """Stages fail to import MLflow, which takes seconds of each; their runs are kept for later."""
        self.no_mlflow.write_text('raise ImportError("this test leaves it out")\n')
        yield
        self.no_mlflow.unlink()

    def headstart(self, *arguments: str, **environment: str) -> str:
        code = "from headstart.commands.cli import main; main()"
        environment["PYTHONPATH"] = "src"
        return self.run(sys.executable, "-c", code, *arguments, environment=environment)

    def edit(self, values: dict[str, Any]) -> None:
        """Set dotted keys of params.yaml; an unknown key is an error."""
        yaml = YAML()
        params = yaml.load(self.root / "params.yaml")
        for key, value in values.items():
            *path, last = key.split(".")
            section = params
            for name in path:
                section = section[int(name) if name.isdigit() else name]
            assert last in section, f"params.yaml has no {key}"
            section[last] = value
        yaml.dump(params, self.root / "params.yaml")

    def quicken(self, values: dict[str, Any]) -> None:
        """Make params.yaml run in seconds per stage, set `values` in it, then check and commit it."""
        self.edit(QUICK | values)
        params = read_params(self.root / "params.yaml")
        quick: dict[str, Any] = {
            "backbone.cached_px": [_quick_size(px) for px in params["backbone"]["cached_px"]]
        }
        quick["find_lr_finetune.size_px"] = _quick_size(params["find_lr_finetune"]["size_px"])
        for section in ("train_augmented", "unfreeze_finetune"):
            for i, phase in enumerate(params[section]["phases"]):
                quick |= {f"{section}.phases.{i}.{k}": v for k, v in QUICK_PHASE.items()}
                quick[f"{section}.phases.{i}.size_px"] = _quick_size(phase["size_px"])
        self.edit(quick)
        self.headstart("check")
        self.commit()

    def downstream(self, stage: str) -> set[str]:
        """Return `stage` and all stages below it in DVC's graph."""
        edges = re.findall(r'"([^"]+)" -> "([^"]+)"', self.run("dvc", "dag", "--dot"))
        found = {stage}
        while more := {to for start, to in edges if start in found} - found:
            found |= more
        return found

    def metrics(self) -> dict[str, Any]:
        files = sorted((self.root / "metrics").glob("*.json"))
        return {f.stem: json.loads(f.read_text()) for f in files}

    def labels_of(self, path: str) -> tuple[str, list[str]]:
        """Return the id and the labels of the picture at `path`."""
        table: Any = read_pictures(self.root / "data/1_index/pictures.parquet")
        [picture] = [
            picture
            for picture, paths in zip(table["id"], table["paths"], strict=True)
            if any(name.endswith(path) for name in paths)
        ]
        index = self.root / "data/1_index"
        labels: Any = read_labels(index / "labels.parquet", index / "test_labels.parquet").table
        return picture, list(labels.set_index("id").loc[picture, "labels"])


def runs_of(store: Path, tag: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the runs that carry `tag`, the newest first."""
    monkeypatch.setenv("DVC_ROOT", str(store))
    tracker = Tracker()
    runs = tracker.client.search_runs([tracker.experiment_id], order_by=["start_time DESC"])
    return [run for run in runs if tag in run.data.tags]


def assert_row_is_right(project: Project, row: Any) -> None:
    params = flatten(read_params(project.root / "params.yaml"))
    assert row.data.params == {key: str(value) for key, value in params.items()}
    assert results_of(row) == pytest.approx(results(project.metrics()))
    state = json.loads((project.root / "state.json").read_text())["state"]
    assert row.data.tags["headstart.state"] == state
