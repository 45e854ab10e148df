"""`headstart predict` on the original files gives the probabilities that the pipeline measured.

The stages' own scripts run in this process, on generated photographs in files of all kinds, with a
small network; only what tells MLflow of them is left out.
"""

import csv
import importlib.util
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from ruamel.yaml import YAML

from headstart import live
from headstart.cli import main
from headstart.core.report import Silent
from headstart.steps.fetch_weights import UntrainedWarning
from headstart.store.checkpoints import read_checkpoint
from headstart.store.index import read_pictures
from headstart.store.predictions import read_predictions
from tests.core.test_rgb import ORIENTATION

STORED_PX, FULL_PX, SMALL_PX = 96, 64, 32  # the smallest of them reads copies of 42 px
HUES = {"red": 0, "green": 1}


def photograph(width: int, height: int, number: int, hue: int) -> Image.Image:
    """Smooth shapes and noise, more of them in one channel."""
    random = np.random.default_rng(number)
    shapes = random.integers(0, 200, (6, 8, 3), dtype=np.uint8)
    shapes[..., hue] += 55
    smooth = Image.fromarray(shapes).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.normal(0, 12, (height, width, 3))
    return Image.fromarray((np.asarray(smooth) + noise).clip(0, 255).astype(np.uint8))


def write_photographs(folder: Path, first: int, hue: int) -> None:
    """A file of each kind: larger and smaller than what is stored and than the input."""
    folder.mkdir(parents=True)

    def made(width: int, height: int, number: int) -> Image.Image:
        return photograph(width, height, 100 * first + number, hue)

    def turned(by: int) -> Image.Exif:
        exif = Image.Exif()
        exif[ORIENTATION] = by
        return exif

    made(720, 480, 0).save(folder / "large.jpg", quality=90)  # halved in the decoder
    made(1300, 900, 1).save(folder / "huge.jpg", quality=85)  # quartered
    made(150, 110, 2).save(folder / "larger.jpg", quality=95)  # than what is stored, by a little
    made(80, 90, 3).save(folder / "smaller.jpg", quality=75)  # its very bytes are stored
    made(50, 40, 4).save(folder / "tiny.png")
    made(300, 260, 5).convert("CMYK").save(folder / "cmyk.jpg", quality=92)
    made(70, 60, 6).convert("CMYK").save(folder / "small_cmyk.jpg", quality=92)
    made(400, 300, 7).save(folder / "turned.jpg", quality=92, exif=turned(6))
    made(60, 85, 8).save(folder / "small_turned.jpg", quality=92, exif=turned(8))
    made(200, 240, 9).convert("L").save(folder / "grey.jpg")
    clear = made(250, 170, 10).convert("RGBA")
    clear.putalpha(made(250, 170, 11).convert("L"))
    clear.save(folder / "clear.png")


@dataclass(frozen=True)
class Case:
    """A way from files to predictions: what differs from the plainest one."""

    task: str = "single_label"
    frame: str = "center"
    sizes: tuple[int | str, ...] = ("full",)
    codec: str = "jpeg"
    precision: str = "auto"
    snapshots: bool = False


CASES = {
    "one size": Case(),
    "squash": Case(frame="squash"),
    "growing sizes": Case(sizes=(SMALL_PX, "full")),
    "copies of a small size": Case(sizes=("full", SMALL_PX)),
    "copies of copies in PNG": Case(sizes=(SMALL_PX,), codec="png", frame="squash"),
    "an ensemble at a small size": Case(sizes=("full", SMALL_PX), snapshots=True),
    "many labels": Case(task="multi_label", sizes=(SMALL_PX, "full")),
    "fp32": Case(precision="fp32"),
    "bf16": Case(precision="bf16", task="multi_label"),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without DVC and MLflow, on a CPU."""

    class Untold(Silent):
        def metrics(self, values: object) -> None: ...

        def artifact(self, path: Path) -> None: ...

    @contextmanager
    def untold(*_: object) -> Iterator[Untold]:
        yield Untold()

    monkeypatch.setattr(live, "stage_run", untold)
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_params(case: Case, repo_root: Path) -> None:
    Path("sources").mkdir()
    shutil.copy(repo_root / "sources/random.yaml", "sources")
    yaml = YAML()
    params = yaml.load(repo_root / "params.yaml")
    edits: dict[str, dict[str, Any]] = {
        "index_images": {"task": case.task, "split": "given"},
        "resize": {"size_px": STORED_PX, "codec": case.codec, "quality": 85},
        "backbone": {
            "name": "test_resnet", "weights": "sources/random.yaml",
            "size_px": FULL_PX, "cached_px": [case.sizes[0]], "crop": case.frame,
        },
        "head": {"hidden_units": 16},
        "optimizer_head": {"batch_size": 8},
        "optimizer_finetune": {"batch_size": 8},
        "runtime": {"precision": case.precision},
        "train_head": {"n_epochs": 12},
        "unfreeze_finetune": {
            "keep": "last", "stop_when_worse": False, "n_snapshots": 2,
            "phases": [
                params["unfreeze_finetune"]["phases"][0] | {"size_px": size, "cycle_mult": 1}
                for size in case.sizes
            ],
        },
        "tta_evaluate": {"n_views": 1, "n_bootstrap": 100, "snapshots": case.snapshots},
    }  # fmt: skip
    if case.task == "multi_label":
        edits["index_images"] |= {"labels": "labels.csv"}
    for section, values in edits.items():
        params[section].update(values)
    yaml.dump(params, Path("params.yaml"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same kinds of files in train, valid and test, and a CSV of one or two labels each."""
    images = tmp_path_factory.mktemp("photographs")
    rows = [("id", "label")]
    for split_number, split in enumerate(("train", "valid", "test")):
        for name, hue in HUES.items():
            folder = images / split / name
            write_photographs(folder, 2 * split_number + hue, hue)
            rows += [
                (f"{split}/{name}/{file.name}", " ".join([name, *["big"][: number % 2]]))
                for number, file in enumerate(sorted(folder.iterdir()))
            ]
    with (images / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return images


def stage(repo_root: Path, name: str, **paths: str | list[str]) -> None:
    """Run the script of a stage, with its metrics and its record among the reports."""
    place = repo_root / f"stages/{name}.py"
    spec = importlib.util.spec_from_file_location(f"stage_{name}", place)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    arguments = [f"--metrics=reports/{name}.json", f"--run=reports/{name}_run.json"]
    for option, values in paths.items():
        for value in [values] if isinstance(values, str) else values:
            arguments.append(f"--{option.replace('_', '-')}={value}")
    script.main(arguments, standalone_mode=False)


def run_stages(repo_root: Path, images: Path) -> None:
    """From files to model.safetensors and predictions.parquet; heads train on the plain view alone."""
    Path("reports").mkdir()
    no_advice = {"lr": None, "reason": "the rates are numbers"}
    Path("suggestion.json").write_text(json.dumps(no_advice))
    with pytest.warns(UntrainedWarning):
        stage(repo_root, "fetch_weights", backbone="backbone.safetensors")
    stage(
        repo_root, "index_images", images=str(images), pictures="pictures.parquet",
        labels="labels.parquet", train_ids="train_ids.parquet", problems="problems.csv",
    )  # fmt: skip
    stage(repo_root, "resize", images=str(images), pictures="pictures.parquet", resized="resized")
    stage(
        repo_root, "precompute_activations", resized="resized", weights="backbone.safetensors",
        activations="plain",
    )  # fmt: skip
    stage(
        repo_root, "train_head", activations="plain", labels="labels.parquet",
        suggestion="suggestion.json", checkpoint="head.safetensors", epochs="reports/head.csv",
        plot="reports/head.png",
    )  # fmt: skip
    stage(
        repo_root, "unfreeze_finetune", resized="resized", labels="labels.parquet",
        weights="backbone.safetensors", head="head.safetensors", suggestion="suggestion.json",
        checkpoint="finetuned.safetensors", snapshots="snapshots.safetensors",
        epochs="reports/finetuned.csv", plot="reports/finetuned.png",
    )  # fmt: skip
    stage(
        repo_root, "tta_evaluate", resized="resized", labels="labels.parquet",
        weights="backbone.safetensors", checkpoint=["head.safetensors", "finetuned.safetensors"],
        snapshots="snapshots.safetensors", model="model.safetensors",
        predictions="predictions.parquet",
    )  # fmt: skip


def predicted(checkpoint: str, files: list[Path]) -> dict[str, tuple[str, list[float]]]:
    """What `headstart predict` says: decided classes and probabilities by file."""
    result = CliRunner().invoke(main, ["predict", checkpoint, *map(str, files)])
    assert result.exit_code == 0 and result.stderr == "", result.output
    _, *rows = csv.reader(io.StringIO(result.stdout))
    return {row[0]: (row[1], [float(p) for p in row[2:]]) for row in rows}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_predict_gives_the_probabilities_that_were_measured(
    root: Path, repo_root: Path, images: Path, case: Case
) -> None:
    write_params(case, repo_root)
    run_stages(repo_root, images)
    measured = read_predictions(Path("predictions.parquet"))
    pictures: Any = read_pictures(Path("pictures.parquet"))
    path_of = dict(zip(pictures["id"], pictures["paths"], strict=True))
    files = [images / path_of[picture][0] for picture in measured.table["id"]]
    assert len(files) == 2 * 2 * 11
    told = predicted("model.safetensors", files)
    plain = measured.probabilities("plain")
    assert plain.std(axis=0).min() > 0.02  # the network tells pictures apart
    for file, row in zip(files, plain, strict=True):
        decided, probabilities = told[str(file)]
        np.testing.assert_allclose(probabilities, row, rtol=0, atol=1e-4, err_msg=str(file))
        if case.task == "single_label":
            assert decided == measured.classes[row.argmax()]
        else:
            reached = row >= measured.thresholds["plain"]
            assert decided.split() == [measured.classes[k] for k in reached.nonzero()[0]]
    kind = "ensemble" if case.snapshots else "network"
    assert read_checkpoint(Path("model.safetensors")).info.kind == kind
