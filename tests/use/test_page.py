"""docs/use.md: its outputs belong together, and its Python runs."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from headstart.commands.cli import main
from headstart.commands.heat_pictures import told
from headstart.commands.prediction_outputs import Result, Table, json_list
from headstart.network.checkpoints import read_checkpoint
from headstart.use.classifier import Classifier
from tests.finished_project import write_project
from tests.pages import blocks, of_tool, read_page
from tests.saved_networks import save_networks
from tests.small_networks import picture

PAGE = "docs/use.md"
WEAVES = ["global_0500", "local_0490", "local_0499", "nominal_0994"]


@pytest.fixture
def project(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with results, a network and the pictures that the page names."""
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, repo_root)
    checkpoints = tmp_path / "data/4_checkpoints"
    checkpoints.mkdir()
    save_networks(checkpoints)
    (checkpoints / "net.safetensors").rename(checkpoints / "model.safetensors")
    (tmp_path / "weaves").mkdir()
    for number, name in enumerate(WEAVES):
        picture(number).save(f"weaves/{name}.jpg")
    return tmp_path


def test_the_table_and_the_json_of_the_page_are_of_the_same_numbers(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (table, _), [text] = blocks(read_page(PAGE), "text"), blocks(read_page(PAGE), "json")
    said = json.loads(text)
    info = read_checkpoint(project / "data/4_checkpoints/model.safetensors").info
    classes = tuple(said[0]["probabilities"])
    classifier = Classifier(info.model_copy(update={"classes": classes}), [])
    results = [
        Result(one["picture"], np.array(list(one["probabilities"].values()))) for one in said
    ]
    Table(classifier, [result.name for result in results]).write(results)
    assert capsys.readouterr().out == table
    with json_list(classifier) as printed:
        printed.write(results)
    assert capsys.readouterr().out == text


def test_every_command_of_the_page_runs(project: Path) -> None:
    lines = of_tool(read_page(PAGE), "headstart")
    lines = [words for words in lines if len(words) > 1]  # without the name in the heading
    assert len(lines) == 5
    for words in lines:
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
    assert Path("said.csv").is_file() and Path("said.parquet").is_file()
    assert sorted(path.stem for path in Path("heat").iterdir()) == WEAVES


def test_the_sentence_about_heat_maps_is_the_commands() -> None:
    """Of four heat maps, one is empty: the page says so of its fourth picture."""
    _, text = blocks(read_page(PAGE), "text")
    assert text == f"{told(Path('heat'), 4, 1)}\n"


def test_the_picture_of_the_page_is_drawn_by_its_script(project: Path, repo_root: Path) -> None:
    sheet = runpy.run_path(str(repo_root / "docs/make_heat_maps.py"))["sheet"]
    classifier = Classifier.load("data/4_checkpoints/model.safetensors")
    drawn = sheet(classifier, [Path(f"weaves/{name}.jpg") for name in WEAVES])
    with Image.open(repo_root / "docs/heat_maps.jpg") as shown:
        assert drawn.size == shown.size


def test_the_python_of_the_page_runs(project: Path) -> None:
    [code] = blocks(read_page(PAGE), "python")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["table"]["picture"].tolist() == [f"weaves/{name}.jpg" for name in WEAVES[1:3]]
    assert list(names["table"].columns) == [
        *("picture", "class", "top_1", "p_1", "top_2", "p_2", "problem")
    ]
    assert names["wrong"]["id"].tolist() == ["c", "d"]
    assert names["best"].to_dict() == {"train-head": 0.5, "unfreeze-finetune": 0.5}
    assert len(names["rows"]) == len(names["features"])


def test_the_page_is_short() -> None:
    assert len(read_page(PAGE).splitlines()) <= 85
