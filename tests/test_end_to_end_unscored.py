"""With train alone, the whole pipeline runs, writes a model, and says that nothing is scored."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headstart.evaluation.predictions import read_predictions
from headstart.network.checkpoints import read_checkpoint
from headstart.project.files import flatten
from headstart.project.params import read_params
from tests.test_end_to_end_recipes import generated, write_rows
from tests.whole_project import Project, assert_row_is_right, runs_of

pytestmark = pytest.mark.end_to_end


def make_folders(folder: Path) -> dict[str, Any]:
    """An odd number of pictures, for batches of 2."""
    for hue, (name, n) in enumerate({"grass": 7, "sky": 6}.items()):
        (folder / "train" / name).mkdir(parents=True)
        for i in range(n):
            generated(10 * hue + i, hue).save(folder / "train" / name / f"{i}.png")
    return {"index_images.split": "given", "optimizer_head.batch_size": 2}


def make_tags(folder: Path) -> dict[str, Any]:
    """13 pictures with one or two labels; none is drawn for valid or test."""
    folder.mkdir()
    rows = []
    for i in range(13):
        generated(i, i % 2).save(folder / f"{i}.png")
        rows.append((str(i), " ".join([("grass", "sky")[i % 2], *["road"][: i % 3]])))
    write_rows(folder / "labels.csv", ("id", "tags"), rows)
    return {
        "index_images.labels": "labels.csv", "index_images.id_column": "id",
        "index_images.label_column": "tags", "index_images.id_suffix": ".png",
        "index_images.task": "multi_label", "index_images.split": "stratified",
        "index_images.valid_frac": 0.0, "index_images.test_frac": 0.0,
        "write_submission.form": "tags", "optimizer_finetune.batch_size": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make_folders, id="one label"),
        pytest.param(make_tags, id="many labels", marks=pytest.mark.long),
    ],
)
def test_a_model_without_scores(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, Path(__file__).parents[1])
    values = make(project.pictures)
    project.quicken({"dataset.source": str(project.pictures), **values})
    with project.without_mlflow():
        said = project.run("dvc", "repro")
    assert "No labelled picture is in valid or test, so nothing is scored." in said
    assert set(project.metrics()) >= {"tta_evaluate", "confusion_report", "write_submission"}

    data = project.root / "data"
    model = read_checkpoint(data / "4_checkpoints/model.safetensors").info
    many = model.task == "multi_label"
    assert model.thresholds == ({"plain": (0.2,) * 3, "tta": (0.2,) * 3} if many else {})
    for name in ("head", "augmented", "predictions"):
        found = read_predictions(data / f"5_predictions/{name}.parquet")
        assert (len(found.table), found.classes) == (0, model.classes)
    columns = ["tags"] if many else list(model.classes)
    submission = pd.read_csv(data / "5_predictions/submission.csv")
    assert (list(submission)[1:], len(submission)) == (columns, 0)

    scores = flatten(project.metrics())
    assert not [key for key in scores if "accuracy" in key or "f2" in key or "log_loss" in key]
    assert "Added the row" in project.headstart("sync")
    [row] = runs_of(project.root, "headstart.complete", monkeypatch)
    assert_row_is_right(project, row)
    page = (data / "6_reports/report.html").read_text()
    assert "nothing is scored" in page and "Most wrong" not in page and "Network" in page
    checkpoint = str(data / "4_checkpoints/model.safetensors")
    picture = str(next(project.pictures.rglob("*.png")))
    assert any(name in project.headstart("predict", checkpoint, picture) for name in model.classes)
    stages = set(read_params(project.root / "dvc.yaml")["stages"])
    assert project.repro() == set() and len(stages) > len(project.metrics())
