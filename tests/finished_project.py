"""A project with the results of four pictures, as its stages would have written them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from headstart import Project
from headstart.activations.computed import Computation, write_activations
from headstart.activations.stored import Manifest
from headstart.backbone.frame import Frame
from headstart.evaluation.predictions import Kind, Predictions, write_predictions
from headstart.labels.labels import Labels, write_labels, write_test_labels
from headstart.labels.task import Task
from headstart.pictures.resized import write_resized
from headstart.pictures.table import write_pictures
from tests.small_networks import FORM, PREPROCESSING, StoredPictures

IDS = ["a", "b", "c", "d"]
SPLIT = ["train", "valid", "valid", "test"]
LABELS = [["cat"], ["eel"], ["cat"], None]
FEATURES = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
PLAIN = np.array([[0.7, 0.3], [0.2, 0.8], [0.4, 0.6]])


def write_project(root: Path, repo_root: Path, task: Task = "single_label") -> Project:
    """Results of four pictures, where this repository's dvc.yaml has them."""
    shutil.copy(repo_root / "dvc.yaml", root)
    (root / "data/1_index").mkdir(parents=True)
    (root / "data/5_predictions").mkdir()
    (root / "data/6_reports").mkdir()
    (root / "metrics").mkdir()
    pictures = {"id": IDS, "paths": [[f"{i}.jpg", "copy.jpg"] for i in IDS]}
    sizes = {"width": [9] * 4, "height": [9] * 4}
    write_pictures(root / "data/1_index/pictures.parquet", pd.DataFrame(pictures | sizes))
    stored = StoredPictures()
    rows_of = ((name, stored.encoded(str(number))) for number, name in enumerate(IDS))
    write_resized(root / "data/2_resized", rows_of, FORM.model_dump(exclude_none=True))
    table = pd.DataFrame({"id": IDS, "labels": LABELS, "split": SPLIT, "group": IDS})
    labels = Labels(table, ("cat", "eel"), task)
    write_labels(root / "data/1_index/labels.parquet", labels)
    write_test_labels(root / "data/1_index/test_labels.parquet", labels)
    for name, number in (("plain", 1), ("views", 2)):
        manifest = Manifest(
            architecture="net", weights="w", mean=(0, 0, 0), std=(1, 1, 1), size_px=32,
            frame=Frame("center", 1.0), preprocessing=PREPROCESSING, pictures="p",
            transform="plain", precision="float32", device="cpu",
        )  # fmt: skip
        ids = IDS if name == "plain" else IDS[:1]
        of = Computation(ids, number, 3, FEATURES[:, : len(ids)].__getitem__, manifest)
        write_activations(root / "data/3_activations" / name, 32, [of])
    rows = pd.DataFrame(
        {"id": ["b", "c", "d"], "split": SPLIT[1:], "targets": pd.Series([[1], [0], None])}
    )
    thresholds: dict[Kind, tuple[float, ...]] = {}
    if task == "multi_label":
        thresholds = {"plain": (0.3, 0.7), "tta": (0.9, 0.9)}
    said = Predictions(
        ("cat", "eel"), rows, np.stack([PLAIN, PLAIN[::-1]]), PLAIN[::-1], task, thresholds
    )
    write_predictions(root / "data/5_predictions/predictions.parquet", said)
    for stage, n in (("train_head", 1), ("unfreeze_finetune", 2)):
        epochs = pd.DataFrame({"epoch": range(n), "lr": [0.1] * n, "valid_score": [0.5] * n})
        epochs.to_csv(root / f"data/6_reports/{stage}.csv", index=False)
    values = {"n_pictures": 2, "accuracy": 0.5, "recall": {"cat": 1.0}}
    scores = {"valid": {"plain": values}, "checkpoints": {"head": {"valid": {"plain": values}}}}
    (root / "metrics/tta_evaluate.json").write_text(json.dumps(scores))
    return Project(root)
