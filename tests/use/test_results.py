"""The results of a project as data frames."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart import Project
from headstart.activations.stored import ActivationsError
from headstart.labels.labels import read_labels, write_labels
from headstart.pictures.table import read_pictures, write_pictures
from headstart.project.errors import HeadstartError
from tests.finished_project import FEATURES, IDS, LABELS, PLAIN, SPLIT, write_project
from tests.small_networks import pixels


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
    assert list(table.columns) == ["stage", "epoch", "lr", "valid_score"]
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


def test_a_picture_is_the_stored_one(repo_root: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, repo_root)
    assert np.array_equal(np.asarray(project.picture("c")), pixels(IDS.index("c")))
    with pytest.raises(KeyError, match="holds no picture 'z'"):
        project.picture("z")


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


def test_an_index_without_pictures_that_a_stage_had_names_the_stage(
    repo_root: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path, repo_root)
    index = tmp_path / "data/1_index"
    write_pictures(index / "pictures.parquet", read_pictures(index / "pictures.parquet").iloc[:2])
    lacks = r"pictures\.parquet lacks {} pictures of {}, such as '{}': run `dvc repro {}`\.$"
    for call, numbers, stage in (
        (project.predictions, "2 of 3", "tta-evaluate"),
        (project.activations, "2 of 4", "precompute-activations"),
    ):
        with pytest.raises(HeadstartError, match=lacks.format(numbers, stage, "c", stage)):
            call()
    labels = read_labels(index / "labels.parquet", index / "test_labels.parquet")
    write_labels(index / "labels.parquet", replace(labels, table=labels.table.iloc[1:]))
    with pytest.raises(
        HeadstartError, match=r"labels\.parquet lacks 1 of 1 .* `dvc repro precompu"
    ):
        project.activations("views")


def test_stages_may_have_several_commands_and_other_forms(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  resize: {cmd: [python a.py --resized pictures, python b.py], outs: [{pictures: {}}]}\n"
        "  each: {foreach: [1, 2], do: {cmd: 'python a.py ${item}'}}\n"
        '  many: {matrix: {n: [1]}, cmd: "echo it\'s", outs: 3}\n'
    )
    (tmp_path / "pictures").mkdir()
    project = Project(tmp_path)
    assert project.file("resize", "--resized") == tmp_path / "pictures"
    with pytest.raises(HeadstartError, match=r"has no epochs yet: run `dvc repro`\."):
        project.epochs()
    with pytest.raises(HeadstartError, match="has no stage each with --resized"):
        project.file("each", "--resized")
    for content in ("vars: [params.yaml]\n", "stages: [resize]\n", "- resize\n", ""):
        (tmp_path / "dvc.yaml").write_text(content)
        with pytest.raises(HeadstartError, match=r"dvc\.yaml has no stages: name the folder of a"):
            project.predictions()


def test_a_folder_without_a_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"has no dvc\.yaml: name the folder of a project"):
        Project(tmp_path).scores()


def test_the_package_alone_loads_nothing(repo_root: Path) -> None:
    code = (
        "import sys, headstart; assert not {'numpy', 'pandas', 'torch'} & set(sys.modules); "
        "assert not hasattr(headstart, 'Nothing'); headstart.Project; assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repo_root / "src")
