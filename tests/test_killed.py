"""A stage that is killed with SIGKILL goes on, and ends with the bytes of an undisturbed one."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.labels.labels import write_labels
from headstart.network.checkpoints import (
    Checkpoint,
    CheckpointInfo,
    named_tensors,
    write_checkpoint,
)
from headstart.pictures.resized import write_resized
from headstart.project.files import write_json
from tests.small_networks import PREPROCESSING, SQUARE, StoredPictures, small_network
from tests.steps.conftest import CLASSES, IDS, make_labels

OUTS = ("checkpoint", "snapshots", "epochs", "metrics")
N_KILLS = 100
PHASE = {
    "trainable": "all",
    "size_px": "full",
    "lr": 0.003,
    "cycle_len": 3,
    "cycle_mult": 2,
    "schedule": "one_cycle",
    "lr_div": 10.0,
    "tail_frac": 0.1,
    "momentum_low": 0.8,
}

MOVING = {"bn_freeze": "none"}


class Stage:
    """unfreeze-finetune of a small network: dropout, batch norms that move, snapshots."""

    def __init__(
        self, root: Path, repo_root: Path, cycles: int = 3, optimizer: Mapping[str, Any] = MOVING
    ) -> None:
        self.root, self._script = root, repo_root / "stages/unfreeze_finetune.py"
        for folder in ("inputs", "no_mlflow"):
            (root / folder).mkdir(parents=True)
        (root / "no_mlflow/mlflow.py").write_text(
            'raise ImportError("it takes seconds to import")\n'
        )
        write_inputs(root / "inputs")
        write_params(repo_root / "params.yaml", root / "params.yaml", cycles, optimizer)
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(root / "no_mlflow"), str(repo_root / "src")]),
            "HEADSTART_THREADS": "1",
        }

    def start(self, *launcher: str, **environment: str) -> subprocess.Popen[str]:
        inputs = {
            "resized": "resized",
            "labels": "labels.parquet",
            "weights": "backbone.safetensors",
            "head": "head.safetensors",
            "suggestion": "suggestion.json",
        }
        options = {name: f"inputs/{file}" for name, file in inputs.items()}
        options |= {name: f"outs/{name}" for name in OUTS} | {"run": "outs/run"}
        words = [word for name, path in options.items() for word in (f"--{name}", path)]
        return subprocess.Popen(
            [sys.executable, *launcher, str(self._script), *words],
            cwd=self.root, env=self._environment | environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[str]) -> tuple[str, dict[str, bytes]]:
        """Let it end; return what it said and what it wrote."""
        said, _ = process.communicate()
        assert process.returncode == 0, said
        assert not self.states(), "what was kept is removed when the stage ends"
        return said, {name: (self.root / "outs" / name).read_bytes() for name in OUTS}

    def states(self) -> list[Path]:
        return list(self.root.glob(".headstart/work/states/*/*.state"))


def write_inputs(folder: Path) -> None:
    network, stored = small_network(), StoredPictures()
    form = PREPROCESSING.stored[-1].model_dump(exclude_none=True)
    write_resized(folder / "resized", ((i, stored.encoded(i)) for i in IDS), form)
    write_labels(folder / "labels.parquet", make_labels())
    backbone = network.backbone
    tensors = {name: t.contiguous() for name, t in backbone.model.state_dict().items()}
    write_tensors(folder / "backbone.safetensors", NamedTensors(tensors, backbone.metadata()))
    info = CheckpointInfo(
        kind="head",
        architecture=backbone.architecture,
        options=backbone.options,
        pool=backbone.pool,
        weights=backbone.digest,
        mean=backbone.normalisation.mean,
        std=backbone.normalisation.sd,
        size_px=32,
        full_px=32,
        frame=SQUARE,
        preprocessing=PREPROCESSING,
        precision="float32",
        classes=CLASSES,
        task="single_label",
        hidden_units=16,
        dropout=(0.25, 0.5),
        params={},
    )
    head = named_tensors("head", network.head.state_dict())
    write_checkpoint(folder / "head.safetensors", Checkpoint(info=info, tensors=head))
    write_json(folder / "suggestion.json", {"lr": None, "reason": "the test was skipped"})


def write_params(default: Path, path: Path, cycles: int, optimizer: Mapping[str, Any] = {}) -> None:
    yaml = YAML()
    params: dict[str, Any] = yaml.load(default)
    params["unfreeze_finetune"] |= {
        "phases": [PHASE | {"cycles": cycles}],
        "n_snapshots": 2,
        "stop_when_worse": False,
    }
    params["optimizer_finetune"] |= {"batch_size": 8, "dropout": [0.25, 0.5], **optimizer}
    yaml.dump(params, path)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_killed_stage_goes_on(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    left_alone, stage = (Stage(tmp_path / name, repo_root) for name in ("left alone", "killed"))
    undisturbed, process = left_alone.start(), stage.start()
    while not stage.states():
        assert process.poll() is None, "it ended before a state was due"
        time.sleep(0.01)
    kill(process)
    said, outs = stage.end(stage.start())
    assert outs == left_alone.end(undisturbed)[1]
    assert "unfreeze-finetune goes on at " in said and " of 21.\n" in said
    figures("1 kill, the same bytes")


@pytest.mark.long
def test_a_hundred_kills_at_random_moments(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    """Each run takes some seconds, of which a third is its start; all take about ten minutes."""
    stage = Stage(tmp_path, repo_root, cycles=4)  # 45 epochs
    began = time.monotonic()
    _, undisturbed = stage.end(stage.start())
    longest_s = time.monotonic() - began
    draw, n_kills, n_ended, n_went_on = random.Random(0), 0, 0, 0
    while n_kills < N_KILLS or stage.states():
        n_went_on += bool(stage.states())
        process = stage.start()
        try:
            process.wait(draw.uniform(0, longest_s) if n_kills < N_KILLS else None)
        except subprocess.TimeoutExpired:
            kill(process)
            n_kills += 1
            continue
        n_ended += 1
        assert stage.end(process)[1] == undisturbed, f"after {n_kills} kills"
    assert n_went_on and n_ended
    figures(
        f"{n_kills} kills at random moments, {n_went_on} runs went on from a state, "
        f"all {n_ended} that ended with the same bytes"
    )
