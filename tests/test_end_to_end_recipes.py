"""Whole recipes in a temporary clone: many labels, a CSV, test pictures without labels.

On generated pictures the resnets have random weights, so the tests check only that they run and what
they write. On real pictures (in the folder HEADSTART_REAL_DATA) the packaged network runs.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.evaluation.predictions import Predictions, read_predictions
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint
from headstart.pictures.table import read_pictures
from headstart.project.params import read_params
from tests.whole_project import Project

pytestmark = pytest.mark.end_to_end

REAL_DATA = os.environ.get("HEADSTART_REAL_DATA")  # read now: tests do not see HEADSTART_*
SKY = ("clear", "cloudy")


@dataclass(frozen=True)
class Case:
    """One recipe on one set of pictures."""

    recipe: str
    make: Callable[[Path], None]
    values: Mapping[str, Any]
    n_test: int


def generated(number: int, hue: int) -> Image.Image:
    noise = np.random.default_rng(number).integers(0, 60, (72, 80, 3), dtype=np.uint8)
    noise[..., hue] += 150
    return Image.fromarray(noise)


def write_rows(path: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def make_planet(folder: Path) -> None:
    """36 labelled pictures, only one with the label `mine`; 4 without labels; a sample submission."""
    rows = []
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    for i in range(36):
        generated(i, i % 2).convert("CMYK").save(folder / f"train/train_{i}.jpg")
        rows.append((f"train_{i}", " ".join([SKY[i % 2], *["road"][: i % 3], *["mine"][: i == 7]])))
    write_rows(folder / "labels.csv", ("image_name", "tags"), rows)
    for i in (2, 10, 1, 0):
        generated(100 + i, i % 2).save(folder / f"test/test_{i}.jpg")
    sample = [(f"test_{i}", "clear road") for i in (10, 2, 0, 1)]
    write_rows(folder / "sample.csv", ("image_name", "tags"), sample)


def make_breeds(folder: Path) -> None:
    """Three classes of 12, 6 and 3 pictures, a row without a file, and 3 pictures without labels."""
    rows = [("missing", "akita")]
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    for hue, (name, n) in enumerate({"akita": 12, "boxer": 6, "collie": 3}.items()):
        for i in range(n):
            generated(100 * hue + i, hue).save(folder / f"train/{name[0]}{i}.jpg")
            rows.append((f"{name[0]}{i}", name))
    write_rows(folder / "labels.csv", ("id", "breed"), rows)
    for i in range(3):
        generated(900 + i, i).save(folder / f"test/00{i}.jpg")


def link_real(name: str, id_column: str, n: int) -> Callable[[Path], None]:
    """Link the first `n` labelled pictures whose labels are frequent, and 5 pictures of test."""

    def make(folder: Path) -> None:
        source = Path(str(REAL_DATA)) / name
        (folder / "train").mkdir(parents=True)
        with (source / "labels.csv").open(newline="") as file:
            rows = [
                r for r in csv.DictReader(file) if (source / f"train/{r[id_column]}.jpg").exists()
            ]
        label_column = next(column for column in rows[0] if column != id_column)
        of_label: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            of_label.setdefault(row[label_column], []).append(row)
        largest = sorted(of_label, key=lambda label: (-len(of_label[label]), label))[:6]
        chosen = [row for label in largest for row in of_label[label][: n // 6]]
        for row in chosen:
            picture = f"train/{row[id_column]}.jpg"
            (folder / picture).symlink_to(source / picture)
        write_rows(folder / "labels.csv", tuple(rows[0]), [tuple(row.values()) for row in chosen])
        if (source / "test").exists():
            (folder / "test").mkdir()
            for path in sorted((source / "test").iterdir())[:5]:
                (folder / "test" / path.name).symlink_to(path)

    return make


RANDOM = {"backbone.weights": "sources/random.yaml"}
REAL = pytest.mark.skipif(
    not REAL_DATA, reason="HEADSTART_REAL_DATA names no folder with planet/ and dogbreeds/"
)
CASES = [
    pytest.param(
        Case(
            "planet-resnet34",
            make_planet,
            RANDOM
            | {
                "write_submission.sample": "sample.csv",
                "tta_evaluate.thresholds": "per_label",
                "unfreeze_finetune.n_snapshots": 2,
                "predict_views.snapshots": True,
            },
            n_test=4,
        ),
        id="many labels",
    ),
    pytest.param(
        Case(
            "dogbreeds",
            make_breeds,
            RANDOM
            | {
                "backbone.name": "resnext50_32x4d.tv_in1k",
                "index_images.n_folds": 3,
                "index_images.fold": 1,
                "sampling.balance": "oversample",
            },
            n_test=3,
        ),
        id="a CSV of classes",
    ),
    pytest.param(
        Case("planet-lite0", link_real("planet", "image_name", 36), {}, n_test=0),
        id="real planet",
        marks=REAL,
    ),
    pytest.param(
        Case("dogbreeds-lite0", link_real("dogbreeds", "id", 36), {}, n_test=5),
        id="real breeds",
        marks=REAL,
    ),
]


@dataclass(frozen=True)
class Run:
    """The results of one case."""

    case: Case
    project: Project

    def path(self, name: str) -> Path:
        return self.project.root / "data" / name

    def predictions(self) -> Predictions:
        return read_predictions(self.path("5_predictions/predictions.parquet"))

    def submission(self) -> list[dict[str, str]]:
        with self.path("5_predictions/submission.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module", params=CASES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    case: Case = request.param
    project = Project(tmp_path_factory.mktemp("recipe"), Path(__file__).parents[1])
    case.make(project.pictures)
    recipe = project.root / f"recipes/{case.recipe}.yaml"
    (project.root / "params.yaml").write_bytes(recipe.read_bytes())
    project.quicken({"dataset.source": str(project.pictures), **case.values})
    with project.without_mlflow():
        project.repro()
        yield Run(case, project)


def test_valid_is_scored_and_every_label_is_in_train(run: Run) -> None:
    labels = read_labels(run.path("1_index/labels.parquet"))
    of_train = {
        name for names in labels.table["labels"][labels.table["split"] == "train"] for name in names
    }
    assert of_train == set(labels.classes)
    scores = run.project.metrics()["tta_evaluate"]["valid"]["tta"]
    name = "f2" if labels.task == "multi_label" else "accuracy"
    assert 0 <= scores[f"{name}_ci_low"] <= scores[name] <= scores[f"{name}_ci_high"] <= 1
    if labels.task == "multi_label":
        assert scores["f2_optimism"] == pytest.approx(scores["f2_claimed"] - scores["f2"])
        assert {"precision", "recall", "map", "threshold"} <= scores.keys()


def test_the_model_carries_the_thresholds_and_predicts_alone(run: Run) -> None:
    predictions = run.predictions()
    info = read_checkpoint(run.path("4_checkpoints/model.safetensors")).info
    assert info.thresholds == predictions.thresholds and info.classes == predictions.classes
    assert bool(info.thresholds) == (info.task == "multi_label")
    pictures: Any = read_pictures(run.path("1_index/pictures.parquet"))
    path_of = dict(zip(pictures["id"], pictures["paths"], strict=True))
    files = [str(run.project.pictures / path_of[i][0]) for i in predictions.table["id"]]
    told = run.project.headstart("predict", "data/4_checkpoints/model.safetensors", *files)
    header, *rows = csv.reader(told.splitlines()[-1 - len(files) :])
    assert header[2:] == list(info.classes) and [row[0] for row in rows] == files
    said = np.array([[float(p) for p in row[2:]] for row in rows])
    np.testing.assert_allclose(said, predictions.probabilities("plain"), rtol=0, atol=1e-4)


def test_phases_of_growing_sizes_run_and_are_told(run: Run) -> None:
    params = read_params(run.project.root / "params.yaml")
    cached = [64 if size == "full" else size for size in params["backbone"]["cached_px"]]
    assert sorted(
        p.name for p in run.path("3_activations/plain").iterdir() if p.is_dir()
    ) == sorted(map(str, cached))
    with run.path("6_reports/unfreeze_finetune.csv").open(newline="") as file:
        phases = [row["phase"] for row in csv.DictReader(file)]
    assert phases == [str(i) for i in range(len(params["unfreeze_finetune"]["phases"]))]
    head = read_checkpoint(run.path("4_checkpoints/head.safetensors")).info
    assert head.size_px == cached[0]
    final = read_checkpoint(run.path("4_checkpoints/model.safetensors"))
    tuned = run.project.metrics()["unfreeze_finetune"]
    assert final.info.size_px == tuned["kept_size_px"] or final.info.kind == "ensemble"
    ensemble = params["predict_views"]["snapshots"]
    assert (final.info.kind == "ensemble") == ensemble
    if ensemble:
        assert len(final.members()) == 1  # the last phase has one cycle here
        assert "snapshots" in run.project.metrics()["tta_evaluate"]["checkpoints"]


def test_pictures_without_labels_are_in_the_submission(run: Run) -> None:
    rows, predictions = run.submission(), run.predictions()
    assert len(rows) == run.case.n_test
    assert run.project.metrics()["write_submission"]["n_unlabelled"] == run.case.n_test
    unlabelled = predictions.where(predictions.table["targets"].isna().to_numpy(bool))
    assert len(unlabelled.table) == run.case.n_test
    if run.case.recipe == "planet-resnet34":
        assert [row["image_name"] for row in rows] == ["test_10", "test_2", "test_0", "test_1"]
    if run.case.recipe == "dogbreeds":
        assert [row["id"] for row in rows] == ["000", "001", "002"]
        for row in rows:
            assert sum(float(row[name]) for name in predictions.classes) == pytest.approx(1)


def test_the_report_shows_every_label(run: Run) -> None:
    page = run.path("6_reports/report.html").read_text()
    assert all(name in page for name in run.predictions().classes)
    with run.path("6_reports/confusion_tables.csv").open(newline="") as file:
        tables = list(csv.DictReader(file))
    assert [row[next(iter(row))] for row in tables] == list(run.predictions().classes)


def test_without_mlflow_the_row_is_kept_and_nothing_runs_again(run: Run) -> None:
    assert "is kept for MLflow (`headstart sync`)" in run.project.said
    assert run.project.repro() == set()
    state = json.loads((run.project.root / "state.json").read_text())
    assert len(state["state"]) == 64


def test_what_balance_did_is_told(run: Run) -> None:
    told = run.project.metrics()["train_head"].get("balance")
    assert (told is not None) == ("sampling.balance" in run.case.values)
    if told:
        assert told["recall"].keys() == told["recall_change"].keys() > set()
