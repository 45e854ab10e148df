"""Features of three classes that a head can learn, in memory and as a project on disk."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from headstart.activations.computed import Computation, write_activations
from headstart.activations.stored import Activations, Manifest, SizedActivations
from headstart.backbone.device import PLAIN_CPU
from headstart.backbone.frame import Frame
from headstart.labels.labels import Labels, write_labels
from headstart.labels.task import Task
from headstart.network.objective import Scores
from headstart.project.params import read_params
from headstart.project.report import Report
from headstart.sweeping.objective import CachedSet, HeadParamsOfAll
from headstart.training.divergence import DivergedError
from headstart.training.lr_curve import Suggestion
from tests.small_networks import PREPROCESSING

ROOT = Path(__file__).parents[2]
PARAMS = Path("params.yaml")
N, D, V, SIZE_PX = 90, 8, 2, 32
WHY = "The training diverged: the loss is nan, where train_head.lr is 0.01. Set a lower one."
CLASSES = ("a", "b", "c")
IDS = [f"{i:03}" for i in range(N)]
MANIFEST = Manifest(
    architecture="net", weights="w", mean=(0, 0, 0), std=(1, 1, 1), size_px=SIZE_PX,
    frame=Frame("center", 1.0), preprocessing=PREPROCESSING, pictures="p", transform="plain",
    precision="float32", device="cpu",
)  # fmt: skip


def values() -> dict[str, Any]:
    """The sections of the default, with a smaller head."""
    found = read_params(ROOT / "params.yaml")
    found["head"]["hidden_units"] = 8
    found["optimizer_head"]["batch_size"] = 16
    return found


def make_labels(task: Task = "single_label", valid: bool = True) -> Labels:
    """A third of the pictures is valid; class a has half of all, two pictures a group."""
    labels = [[CLASSES[max(i % 4 - 1, 0)]] for i in range(N)]
    splits = ["valid" if valid and i // 2 % 3 == 0 else "train" for i in range(N)]
    groups = [str(i // 2) for i in range(N)]
    table = pd.DataFrame({"id": IDS, "labels": labels, "split": splits, "group": groups})
    return Labels(table, CLASSES, task)


def features(n_views: int) -> NDArray[np.float32]:
    """(V, N, D): the class shows, with noise."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(len(CLASSES), D))
    numbers = np.array([max(i % 4 - 1, 0) for i in range(N)])
    noisy = centres[numbers] + draw.normal(size=(n_views, N, D))
    return np.asarray(noisy, np.float32)


def cached_set(task: Task = "single_label", lr: float | None = 0.02) -> CachedSet:
    labels = make_labels(task)
    train = [IDS.index(picture) for picture in labels.ids("train")]
    plain = Activations(features(1), IDS, MANIFEST)
    views = Activations(features(V)[:, train], labels.ids("train"), MANIFEST)
    return CachedSet(
        SizedActivations(SIZE_PX, {SIZE_PX: plain}),
        SizedActivations(SIZE_PX, {SIZE_PX: views}),
        labels,
        Suggestion(lr, "as given"),
        PLAIN_CPU,
    )


def diverge(monkeypatch: pytest.MonkeyPatch, *wild: HeadParamsOfAll) -> None:
    """Let the trainings with these params diverge."""
    train = CachedSet.train

    def trained(cached: CachedSet, params: HeadParamsOfAll, report: Report | None = None) -> Scores:
        if params in wild:
            raise DivergedError(WHY)
        return train(cached, params, report)

    monkeypatch.setattr(CachedSet, "train", trained)


def write_project(root: Path) -> None:
    """The same, where this repository's dvc.yaml has it; with its params.yaml."""
    cached = cached_set()
    shutil.copy(ROOT / "dvc.yaml", root)
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("hidden_units: 512", "hidden_units: 8").replace("size: 64", "size: 16")
    (root / "params.yaml").write_text(text, encoding="utf-8")
    (root / "data/1_index").mkdir(parents=True)
    write_labels(root / "data/1_index/labels.parquet", cached.labels)
    for name, sized in (("plain", cached.plain), ("views", cached.views)):
        of = sized.first()
        n_views, _, n_features = of.features.shape
        computation = Computation(of.ids, n_views, n_features, of.features.__getitem__, MANIFEST)
        write_activations(root / "data/3_activations" / name, SIZE_PX, [computation])
