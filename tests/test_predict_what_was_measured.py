"""`headstart predict` on the original files gives the probabilities that the pipeline measured.

The stages of dvc.yaml run in this process, on generated photographs in files of all kinds, with a
small network; DVC, MLflow and the reports are left out.
"""

import csv
import importlib.util
import io
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

from headstart.commands.cli import main
from headstart.evaluation.predictions import read_predictions
from headstart.network.checkpoints import read_checkpoint
from headstart.pictures.table import read_pictures
from headstart.project.report import Silent
from headstart.tracking import live
from tests.contract import read_stages
from tests.pictures.test_rgb import ORIENTATION

STORED_PX, FULL_PX, SMALL_PX = 96, 64, 32  # training at the smallest reads copies of 42 px
MODEL = Path("data/4_checkpoints/model.safetensors")
GRAINS = {"coarse": 30.0, "fine": 6.0}  # standard deviations: what the sizes and codecs change


def photograph(width: int, height: int, number: int, grain: float) -> Image.Image:
    """Smooth shapes and noise."""
    random = np.random.default_rng(number)
    shapes = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = Image.fromarray(shapes).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.normal(0, grain, (height, width, 3))
    return Image.fromarray((np.asarray(smooth) + noise).clip(0, 255).astype(np.uint8))


def write_photographs(folder: Path, first: int, grain: float) -> None:
    """Write a file of each kind: larger and smaller than the stored size and than the input."""
    folder.mkdir(parents=True)

    def made(width: int, height: int, number: int) -> Image.Image:
        return photograph(width, height, 100 * first + number, grain)

    def turned(by: int) -> Image.Exif:
        exif = Image.Exif()
        exif[ORIENTATION] = by
        return exif

    made(720, 480, 0).save(folder / "large.jpg", quality=90)  # halved in the decoder
    made(1300, 900, 1).save(folder / "huge.jpg", quality=85)  # quartered
    made(150, 110, 2).save(folder / "larger.jpg", quality=95)  # than the stored size, by a little
    made(80, 90, 3).save(folder / "smaller.jpg", quality=75)  # its bytes are stored unchanged
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
    """A way from files to predictions; each field is a difference from the simplest way."""

    task: str = "single_label"
    frame: str = "center"
    sizes: tuple[int | str, ...] = ("full",)
    codec: str = "jpeg"
    precision: str = "auto"
    snapshots: bool = False


CASES = {
    "one size": Case(),
    "squash": Case(frame="squash", precision="fp32"),
    "growing sizes": Case(sizes=(SMALL_PX, "full")),
    "many labels": Case(task="multi_label", frame="squash", sizes=(SMALL_PX, "full")),
    "copies in PNG": Case(sizes=(SMALL_PX,), codec="png"),
    "an ensemble at a small size": Case(
        task="multi_label", sizes=("full", SMALL_PX), snapshots=True
    ),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without DVC and MLflow, on a CPU."""

    class Untold(Silent):
        def __init__(self, stage: str) -> None:
            self.name, self.params = stage, dict[str, str]()

        def metrics(self, values: object) -> None: ...

        def artifact(self, path: Path) -> None: ...

        def says(self, sentence: str, where: Path) -> None: ...

        def at_end(self, do: object) -> None: ...

    @contextmanager
    def untold(stage: str, *_: object) -> Iterator[Untold]:
        yield Untold(stage)

    monkeypatch.setattr(live, "stage_run", untold)
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_params(case: Case, repo_root: Path, images: Path) -> None:
    Path("sources").mkdir()
    shutil.copy(repo_root / "sources/random.yaml", "sources")
    yaml = YAML()
    params = yaml.load(repo_root / "params.yaml")
    phases = {
        name: params[name]["phases"][0] | {"cycles": n_cycles, "cycle_mult": 1}
        for name, n_cycles in (("train_augmented", 1), ("unfreeze_finetune", 2))
    }
    edits: dict[str, dict[str, Any]] = {
        "dataset": {"source": str(images)},
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
        "precompute_views": {"n_views": 1},
        "find_lr_head": {"n_iter": 0},
        "find_lr_finetune": {"n_iter": 0, "size_px": case.sizes[0]},
        "train_head": {"n_epochs": 12},
        "train_augmented": {"phases": [phases["train_augmented"] | {"size_px": case.sizes[0]}]},
        "unfreeze_finetune": {
            "keep": "last", "stop_when_worse": False, "n_snapshots": 2,
            "phases": [
                phases["unfreeze_finetune"] | {"size_px": size} for size in case.sizes
            ],
        },
        "predict_views": {"n_views": 1, "snapshots": case.snapshots},
        "tta_evaluate": {"n_bootstrap": 100},
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
        for class_number, (name, grain) in enumerate(GRAINS.items()):
            folder = images / split / name
            write_photographs(folder, 2 * split_number + class_number, grain)
            rows += [
                (f"{split}/{name}/{file.name}", " ".join([name, *["big"][: number % 2]]))
                for number, file in enumerate(sorted(folder.iterdir()))
            ]
    with (images / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return images


def run_stages(repo_root: Path) -> None:
    """Run all stages of dvc.yaml before the reports, with their paths, in the current folder."""
    for stage in read_stages(repo_root):
        place = repo_root / stage.script
        spec = importlib.util.spec_from_file_location(f"stage_{stage.snake}", place)
        assert spec and spec.loader
        script: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        paths = [f"{option}={path}" for option, path in stage.arguments]
        script.main(paths, standalone_mode=False)
        if stage.name == "tta-evaluate":
            return


def predicted(checkpoint: Path, files: list[Path]) -> dict[str, tuple[str, list[float]]]:
    """The output of `headstart predict`: decided classes and probabilities by file."""
    result = CliRunner().invoke(main, ["predict", str(checkpoint), *map(str, files)])
    assert result.exit_code == 0 and result.stderr == "", result.output
    _, *rows = csv.reader(io.StringIO(result.stdout))
    return {row[0]: (row[1], [float(p) for p in row[2:]]) for row in rows}


@pytest.mark.filterwarnings("ignore:backbone.weights is 'sources/random.yaml'")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_predict_gives_the_probabilities_that_were_measured(
    root: Path, repo_root: Path, images: Path, case: Case
) -> None:
    write_params(case, repo_root, images)
    run_stages(repo_root)
    measured = read_predictions(Path("data/5_predictions/predictions.parquet"))
    pictures: Any = read_pictures(Path("data/1_index/pictures.parquet"))
    path_of = dict(zip(pictures["id"], pictures["paths"], strict=True))
    files = [images / path_of[picture][0] for picture in measured.table["id"]]
    assert len(files) == 2 * 2 * 11
    told = predicted(MODEL, files)
    plain = measured.probabilities("plain")
    temperatures = measured.temperatures
    assert (
        read_checkpoint(MODEL).info.temperatures == temperatures and 1 not in temperatures.values()
    )
    assert np.abs(plain - measured.uncalibrated("plain")).max() > 0.01
    assert plain.std(axis=0).min() > 0.01  # the network tells pictures apart
    far = {
        str(file): np.abs(np.array(told[str(file)][1]) - row).max()
        for file, row in zip(files, plain, strict=True)
    }
    worst = max(far, key=lambda file: far[file])
    assert far[worst] <= 1e-4, worst  # the CSV has four digits
    for file, row in zip(files, plain, strict=True):
        reached = [row.argmax()]
        if case.task == "multi_label":
            reached = (row >= measured.thresholds["plain"]).nonzero()[0]
        assert told[str(file)][0].split() == [measured.classes[k] for k in reached]
    kind = "ensemble" if case.snapshots else "network"
    assert read_checkpoint(MODEL).info.kind == kind
