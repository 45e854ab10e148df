"""The results of a project as data frames."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headstart import Project
from headstart.activations.computed import Computation, write_activations
from headstart.activations.stored import ActivationsError, Manifest
from headstart.backbone.frame import Frame
from headstart.evaluation.predictions import Predictions, write_predictions
from headstart.labels.labels import Labels, write_labels
from headstart.labels.task import Task
from headstart.pictures.table import write_pictures
from headstart.project.errors import HeadstartError
from tests.small_networks import PREPROCESSING

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
    table = pd.DataFrame({"id": IDS, "labels": LABELS, "split": SPLIT, "group": IDS})
    write_labels(root / "data/1_index/labels.parquet", Labels(table, ("cat", "eel"), task))
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
    thresholds = {} if task == "single_label" else {"plain": (0.3, 0.7), "tta": (0.9, 0.9)}
    said = Predictions(
        ("cat", "eel"), rows, np.stack([PLAIN, PLAIN[::-1]]), PLAIN[::-1], task, thresholds
    )
    write_predictions(root / "data/5_predictions/predictions.parquet", said)
    for stage, n in (("train_head", 1), ("unfreeze_finetune", 2)):
        epochs = pd.DataFrame({"epoch": range(n), "lr": [0.1] * n})
        epochs.to_csv(root / f"data/6_reports/{stage}.csv", index=False)
    values = {"n_pictures": 2, "accuracy": 0.5, "recall": {"cat": 1.0}}
    scores = {"valid": {"plain": values}, "checkpoints": {"head": {"valid": {"plain": values}}}}
    (root / "metrics/tta_evaluate.json").write_text(json.dumps(scores))
    return Project(root)


def test_predictions_have_paths_labels_and_probabilities(repo_root: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, repo_root)
    table = project.predictions()
    assert list(table.columns) == ["id", "path", "split", "labels", "predicted", "p_cat", "p_eel"]
    assert table["path"].tolist() == ["b.jpg", "c.jpg", "d.jpg"]
    assert table["labels"].tolist() == [["eel"], ["cat"], None]
    assert table["predicted"].tolist() == [["cat"], ["eel"], ["eel"]]
    assert np.array_equal(table[["p_cat", "p_eel"]], PLAIN)
    assert project.predictions("tta")["predicted"].tolist() == [["eel"], ["eel"], ["cat"]]
    with pytest.raises(HeadstartError, match="kind is 'best'; it must be plain or tta"):
        project.predictions("best")  # type: ignore[arg-type]


def test_many_labels_are_decided_by_the_thresholds(repo_root: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, repo_root, "multi_label")
    assert project.predictions()["predicted"].tolist() == [["cat"], ["eel"], ["cat"]]
    assert project.predictions("tta")["predicted"].tolist() == [[], [], []]


def test_epochs_of_all_stages_that_have_run(repo_root: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, repo_root)
    table = project.epochs()
    assert list(table.columns) == ["stage", "epoch", "lr"]
    assert table["stage"].tolist() == ["train-head", *["unfreeze-finetune"] * 2]
    assert table["epoch"].tolist() == [0, 0, 1]
    shutil.rmtree(tmp_path / "data/6_reports")
    with pytest.raises(HeadstartError, match="has no epochs yet"):
        project.epochs()


def test_scores_are_rows(repo_root: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, repo_root)
    assert project.scores().to_dict("records") == [
        {"checkpoint": "head", "split": "valid", "kind": "plain", "n_pictures": 2, "accuracy": 0.5}
    ]
    (tmp_path / "metrics/tta_evaluate.json").unlink()
    with pytest.raises(HeadstartError, match=r"does not exist: run `dvc repro tta-evaluate`\."):
        project.scores()


def test_activations_are_rows_and_an_array(repo_root: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, repo_root)
    rows, array = project.activations("plain")
    assert np.array_equal(array, FEATURES[0]) and rows["id"].tolist() == IDS
    assert rows["path"].tolist() == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert rows["split"].tolist() == SPLIT and rows["labels"].tolist() == LABELS
    rows, array = project.activations("views")
    assert array.shape == (2, 1, 3) and rows["id"].tolist() == ["a"]
    with pytest.raises(ActivationsError, match="size_px is 16, but activations of this size"):
        project.activations(size_px=16)
    with pytest.raises(HeadstartError, match="view is 'flat'; it must be plain or views"):
        project.activations("flat")  # type: ignore[arg-type]


def test_a_folder_without_a_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"has no dvc\.yaml: name the folder of a project"):
        Project(tmp_path).scores()


def test_the_package_alone_loads_nothing(repo_root: Path) -> None:
    code = (
        "import sys, headstart; assert not {'numpy', 'pandas', 'torch'} & set(sys.modules); "
        "assert not hasattr(headstart, 'Nothing'); headstart.Project; assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repo_root / "src")
