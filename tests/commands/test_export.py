"""`headstart export`: the file and the code of docs/export.md predict as `headstart predict` does."""

import csv
import importlib.util
import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from headstart.commands.cli import main
from headstart.commands.export import quantised
from headstart.commands.project_pictures import ProjectPictures, project_pictures
from headstart.exporting import int8
from headstart.exporting.about import about
from headstart.exporting.forms import FORMS, FormName
from headstart.exporting.graph import Graph, graph_of
from headstart.exporting.pixels import Pixels, Run
from headstart.labels.labels import Labels, read_labels, write_labels
from headstart.network.checkpoints import Checkpoint, write_checkpoint
from headstart.pictures.resized import write_resized
from headstart.project.errors import HeadstartError
from tests.exporting.checkpoints import CLASSES, small_checkpoint, small_info
from tests.pages import blocks, read_page
from tests.small_networks import FORM, picture

INSTALLED = [
    "onnx",
    "pt2",
    pytest.param(
        "executorch",
        marks=pytest.mark.skipif(
            not importlib.util.find_spec("executorch"), reason="needs executorch"
        ),
    ),
]
MODELS = {
    "one label": lambda: small_checkpoint(),
    "many labels": lambda: small_checkpoint(
        task="multi_label", thresholds={"plain": (0.45, 0.5, 0.55), "tta": (1.0, 1.0, 1.0)}
    ),
    "an ensemble": lambda: small_checkpoint(2),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for number in range(4):
        picture(number).save(f"pictures/{number}.png")
    return tmp_path


def write(content: Checkpoint, path: str = "model.safetensors") -> None:
    write_checkpoint(Path(path), content)


def export(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", *arguments])


def by_headstart(files: list[str]) -> dict[str, list[str]]:
    result = CliRunner().invoke(main, ["predict", "model.safetensors", *files])
    assert result.exit_code == 0, result.output
    return {row[0]: row[1].split() for row in list(csv.reader(io.StringIO(result.stdout)))[1:]}


def by_the_page(form: FormName, files: list[str]) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """What the code of the page prints of a file of this form, and what that says of itself."""
    square, *each = blocks(read_page("docs/export.md"), "python")
    of_the_page = 'paths = ["photo.jpg"]'
    assert square.count(of_the_page) == 1
    square = square.replace(of_the_page, f"paths = {files!r}")
    code = f"{square}\n{dict(zip(FORMS, each, strict=True))[form]}"
    assert "headstart" not in code.replace('"headstart"', "").replace('"headstart.json"', "")
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "docs/export.md", "exec"), names)
    rows = map(str.split, printed.getvalue().splitlines())
    return {file: classes for file, *classes in rows}, names["about"]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, about its own code
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", INSTALLED)
def test_the_file_and_the_code_of_the_page_predict_the_same_classes(
    form: FormName, model: str
) -> None:
    content: Any = MODELS[model]()
    write(content)
    result = export("model.safetensors", "--to", form, "--check", "pictures")
    assert result.exit_code == 0, result.output
    [line] = result.output.splitlines()
    assert line.startswith(f"model.{FORMS[form].suffix}: ") and " MB, max |dp| " in line
    assert " on 4 pictures, " in line and line.endswith(" ms)")
    files = [f"pictures/{number}.png" for number in range(4)]
    told = by_headstart(files)
    assert by_the_page(form, files) == (told, about(content.info, FORMS[form].batch))
    assert len(set(map(tuple, told.values()))) > 1  # it tells pictures apart


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_export_that_computes_something_else_is_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(small_checkpoint())
    Path("model.pt2").write_text("the one before")

    def shifted(content: Checkpoint) -> Graph:
        graph = graph_of(content)
        head: Any = graph.networks[0].head
        with torch.no_grad():
            head[-1].bias[0] += 0.01
        return graph

    monkeypatch.setattr("headstart.exporting.graph.graph_of", shifted)
    result = export("model.safetensors", "--to", "pt2")
    assert result.exit_code == 1
    assert "model.pt2 is not written: on 64 random pictures" in result.output
    assert Path("model.pt2").read_text() == "the one before"
    assert {path.name for path in Path().glob("model*")} == {"model.pt2", "model.safetensors"}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_without_pictures_it_says_that_they_are_random() -> None:
    write(small_checkpoint(precision="bfloat16"))
    result = export("model.safetensors", "--to", "pt2", "--out", "made/net.file")
    assert result.exit_code == 0, result.output
    assert "on 64 random pictures (no picture of valid is here)" in result.stdout
    assert "was scored in bfloat16; made/net.file computes in float32" in result.stderr
    assert Path("made/net.file").is_file()


def write_project(root: Path, classes: tuple[str, ...] = CLASSES) -> None:
    """A project whose stored pictures are two of train and three of valid."""
    root.mkdir(exist_ok=True)
    (root / "dvc.yaml").write_text(
        "stages:\n  predict-views:\n    cmd: python x.py --resized stored --labels l.parquet\n"
    )
    ids = [str(number) for number in range(5)]
    rows = [
        (picture, [classes[i % 3]], "train" if i < 2 else "valid", picture)
        for i, picture in enumerate(ids)
    ]
    table = pd.DataFrame(rows, columns=["id", "labels", "split", "group"])
    write_labels(root / "l.parquet", Labels(table, classes, "single_label"))
    pictures = ((number, FORM.encode(_png(int(number)))) for number in ids)
    write_resized(root / "stored", pictures, FORM.model_dump(exclude_none=True))


def _png(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).save(file, "PNG")
    return file.getvalue()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_it_is_checked_on_valid_of_its_own_project() -> None:
    write_project(Path("project"))
    write(small_checkpoint(), "project/model.safetensors")
    result = export("project/model.safetensors", "--to", "pt2")
    assert result.exit_code == 0 and " on 3 pictures of valid, " in result.output, result.output


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_int8_is_scored_beside_float32_and_refused_where_it_loses_more() -> None:
    write_project(Path("project"))
    write(small_checkpoint(), "project/model.safetensors")
    words = ["project/model.safetensors", "--to", "onnx", "--int8", "--max-loss"]
    result = export(*words, "1")
    assert result.exit_code == 0, result.output
    size = Path("model.int8.onnx").stat().st_size
    assert result.stdout.startswith(f"model.int8.onnx: {size / 1e6:.1f} MB, accuracy ")
    assert " on 3 pictures of valid (float32: " in result.stdout
    Path("model.int8.onnx").rename("model.onnx")
    _, told = by_the_page("onnx", ["pictures/0.png"])
    assert told == about(small_info())
    Path("model.onnx").unlink()
    write(small_checkpoint(), "model.safetensors")
    alone = export("model.safetensors", "--to", "onnx", "--int8")
    assert alone.exit_code == 1 and "--int8 needs the pictures of train" in alone.output
    assert not list(Path().glob("*.onnx"))


def test_a_loss_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With files that onnxruntime would make: the second is right half as often."""
    write_project(Path("project"))
    project = project_pictures(Path("project/model.safetensors"), small_info())
    assert project
    right = np.eye(3, dtype=np.float32)[project.labels.targets(["2", "3", "4"])]
    runs = {b"float32": right, b"int8": np.roll(right, 1, axis=1)}

    def load(path: Path) -> Run:
        return lambda pixels: runs[path.read_bytes()][: len(pixels)]

    monkeypatch.setattr(
        int8, "quantise", lambda source, target, pixels: target.write_bytes(b"int8")
    )
    file, target = Path("net.partial"), Path("net.onnx")
    file.write_bytes(b"float32")
    with pytest.raises(
        HeadstartError, match=r"net.onnx is not written: accuracy 0.0000 on 3 .* 0.5"
    ):
        quantised(file, load, project, 0.5, target)
    file.write_bytes(b"float32")
    _, found = quantised(file, load, project, 1.0, target)
    assert found == "accuracy 0.0000 on 3 pictures of valid (float32: 1.0000)"
    assert file.read_bytes() == b"int8"


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_int8_is_scored_with_a_batch_in_memory(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """The score is that of all pictures at once."""
    write_project(Path("project"))
    project = project_pictures(Path("project/model.safetensors"), small_info())
    assert project
    ids, sizes = ["0", "1", "2", "3", "4"], list[int]()
    whole, targets = project.squares(ids), project.labels.targets(ids)

    def run_of(wrong: int) -> Run:
        """Right on all pictures but one, or on all of them."""

        def run(pixels: Pixels) -> NDArray[np.float32]:
            rows = [[np.array_equal(one, other) for other in whole].index(True) for one in pixels]
            given = (targets[rows] + (np.array(rows) == wrong)) % 3
            said: NDArray[np.float32] = np.eye(3, dtype=np.float32)[given]
            return said

        return run

    def load(path: Path) -> Run:
        return run_of(-1 if path.read_bytes() == b"float32" else 2)

    def squares(self: ProjectPictures, ids: Sequence[str]) -> Pixels:
        sizes.append(len(ids))
        return of_ids(self, ids)

    of_ids = ProjectPictures.squares
    monkeypatch.setattr(ProjectPictures, "squares", squares)
    monkeypatch.setattr("headstart.exporting.parity.BATCH", batch)
    monkeypatch.setattr(
        int8, "quantise", lambda source, target, pixels: target.write_bytes(b"int8")
    )
    file = Path("net.partial")
    file.write_bytes(b"float32")
    _, found = quantised(file, load, project, 1.0, Path("net.onnx"))
    assert found == "accuracy 0.6667 on 3 pictures of valid (float32: 1.0000)"
    assert max(sizes) == max(batch, len(project.labels.ids("train")))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pictures_that_are_not_stored_yet_are_left_out() -> None:
    write_project(Path("project"))
    table = read_labels(Path("project/l.parquet")).table
    new = pd.DataFrame([["5", ["cat"], "valid", "5"]], columns=table.columns)
    labels = Labels(pd.concat([table, new], ignore_index=True), CLASSES, "single_label")
    write_labels(Path("project/l.parquet"), labels)
    write(small_checkpoint(), "project/model.safetensors")
    result = export("project/model.safetensors", "--to", "pt2")
    assert result.exit_code == 0 and " on 3 pictures of valid, " in result.output, result.output


@pytest.mark.parametrize(
    "pipeline",
    [
        "stages:\n  predict-views: {foreach: [1], do: {cmd: x}}\n",
        "stages:\n  predict-views: {cmd: [x, y]}\n",
        'stages:\n  predict-views: {cmd: "it\'s"}\n',
        "stages: [predict-views]\n",
        "vars: [params.yaml]\n",
    ],
)
def test_another_pipeline_has_none_of_its_pictures(pipeline: str) -> None:
    write_project(Path("project"))
    Path("project/dvc.yaml").write_text(pipeline)
    assert project_pictures(Path("project/model.safetensors"), small_info()) is None


def test_pictures_of_another_network_are_not_its_own() -> None:
    write_project(Path("project"))
    model = Path("project/model.safetensors")
    found = project_pictures(model, small_info())
    assert found and found.squares(["0", "4"]).shape == (2, 32, 32, 3)
    assert project_pictures(model, small_info(classes=("a", "b", "c"))) is None
    other = FORM.model_copy(update={"size_px": 39})
    stored = small_info().preprocessing.model_copy(update={"stored": (other,)})
    assert project_pictures(model, small_info(preprocessing=stored)) is None
    assert project_pictures(Path("model.safetensors"), small_info()) is None
    Path("project/l.parquet").unlink()
    assert project_pictures(model, small_info()) is None


def test_what_cannot_be_exported_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    write(small_checkpoint(task="multi_label"), "bare.safetensors")
    assert (
        "bare.safetensors holds no thresholds" in export("bare.safetensors", "--to", "pt2").output
    )
    write(small_checkpoint(kind="head"), "head.safetensors")
    assert "a head without its backbone" in export("head.safetensors", "--to", "pt2").output
    write(small_checkpoint())
    Path("notes.txt").write_text("no picture")
    Path("empty").mkdir()
    for path, problem in {"notes.txt": "cannot be read", "empty": "holds no picture"}.items():
        result = export("model.safetensors", "--to", "pt2", "--check", path)
        assert result.exit_code == 1 and f"Error: {path} {problem}" in result.output
    monkeypatch.setattr("headstart.exporting.forms.find_spec", lambda name: None)
    result = export("model.safetensors", "--to", "executorch")
    assert result.exit_code == 1 and "pip install executorch" in result.output
    assert "--int8 makes ONNX files" in export("model.safetensors", "--to", "pt2", "--int8").output
    assert not [path for ending in ("onnx", "pt2", "pte") for path in Path().glob(f"*.{ending}")]
