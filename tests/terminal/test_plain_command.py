"""What a person sees of an error or a warning: a sentence, and a traceback only of a bug."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from headstart.activations.stored import ActivationsError
from headstart.backbone.tensors import TensorsError
from headstart.backbone.timm_models import UnsuitableBackboneError
from headstart.commands.experiment_queue import QueueError
from headstart.commands.experiment_settings import SettingsError
from headstart.fetching.weights import WeightsError
from headstart.image_files.image_folder import ImageFolder, MissingFileError, write_images
from headstart.indexing.index import IndexImagesError
from headstart.network.checkpoints import CheckpointError
from headstart.project.errors import HeadstartError
from headstart.project.located import SourceError, UserPath
from headstart.project.params import ParamsError
from headstart.terminal.plain_command import PlainCommand, PlainGroup
from headstart.tracking.live import stage_run
from headstart.training.gradients import PrecisionError
from tests.contract import read_stages
from tests.tracked import all_runs

SENTENCE = "pictures/a.jpg is no picture; replace it."


def invoke(error: Exception | None, warning: str = "") -> Result:
    @click.command(cls=PlainCommand)
    def stage() -> None:
        if warning:
            warnings.warn(warning, stacklevel=2)
        with stage_run("train-head", Path("run.json"), {}):
            if error:
                raise error

    return CliRunner().invoke(stage)


@pytest.mark.usefixtures("tracked_project", "told_in_process")
def test_an_error_of_the_data_is_one_sentence_and_a_failed_run() -> None:
    result = invoke(HeadstartError(SENTENCE))
    assert (result.exit_code, result.stderr) == (1, f"Error: {SENTENCE}\n")
    assert isinstance(result.exception, SystemExit)
    assert [run.info.status for run in all_runs()] == ["FAILED"]
    assert not Path("run.json").exists()


@pytest.mark.usefixtures("tracked_project", "told_in_process")
@pytest.mark.parametrize("bug", [ValueError("shapes differ"), KeyError("x"), TypeError("y")])
def test_a_bug_keeps_its_traceback(bug: Exception) -> None:
    assert invoke(bug).exception is bug
    assert [run.info.status for run in all_runs()] == ["FAILED"]


@pytest.mark.usefixtures("tracked_project", "told_in_process")
@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False)])
def test_who_asks_for_the_traceback_gets_it(
    monkeypatch: pytest.MonkeyPatch, value: str, shown: bool
) -> None:
    monkeypatch.setenv("HEADSTART_TRACEBACK", value)
    assert isinstance(invoke(HeadstartError(SENTENCE)).exception, HeadstartError) is shown


@pytest.mark.usefixtures("tracked_project", "told_in_process")
@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_its_place_in_the_code() -> None:
    before = warnings.showwarning
    assert invoke(None, "views\n  repeat.").stderr == "Warning: views repeat.\n"
    assert warnings.showwarning is before


def test_the_commands_of_a_group_tell_their_errors_so() -> None:
    @click.group(cls=PlainGroup)
    def main() -> None:
        pass

    @main.command()
    def check() -> None:
        raise HeadstartError(SENTENCE)

    result = CliRunner().invoke(main, ["check"])
    assert (result.exit_code, result.stderr) == (1, f"Error: {SENTENCE}\n")


@pytest.mark.parametrize(
    "kind",
    [
        *(ParamsError, SettingsError, QueueError, SourceError, TensorsError, CheckpointError),
        *(ActivationsError, WeightsError, IndexImagesError, UnsuitableBackboneError),
        *(PrecisionError, MissingFileError),
    ],
)
def test_the_errors_of_data_are_of_one_kind(kind: type[Exception]) -> None:
    assert issubclass(kind, HeadstartError)


def test_a_file_that_is_missing_is_named_in_a_sentence(tmp_path: Path) -> None:
    write_images(tmp_path / "images", tmp_path, [], UserPath(tmp_path))
    folder = ImageFolder(tmp_path / "images")
    with pytest.raises(HeadstartError, match=r"^\S+ has no file 'sample.csv'\.$"):
        folder["sample.csv"]
    assert folder.get("sample.csv") is None


def in_process(root: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    repo = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(repo / "src"), "DVC_ROOT": str(root)}
    return subprocess.run(
        [sys.executable, str(repo / script), *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_wrong_params_are_one_sentence_of_every_stage(repo_root: Path, tmp_path: Path) -> None:
    """Of one stage of each kind: with and without torch, and publish-run, which has no run."""
    (tmp_path / "params.yaml").write_text("[")
    stages = {stage.name: stage for stage in read_stages(repo_root)}
    for name in ("resize", "train-head", "publish-run"):
        stage = stages[name]
        words = [word for option, path in stage.arguments for word in (option, path)]
        done = in_process(tmp_path, stage.script, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: params.yaml is not valid YAML")
        assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("told_in_process")
def test_wrong_data_are_one_sentence_of_a_stage(
    repo_root: Path, tracked_project: Path, tmp_path: Path
) -> None:
    from stages.index_images import main

    shutil.copy(repo_root / "params.yaml", ".")
    (tmp_path / "empty").mkdir()
    write_images(Path("images"), tmp_path / "empty", [], UserPath(tmp_path / "empty"))
    words = ("--metrics", "m.json", "--run", "r.json", "--pictures", "p", "--labels", "l")
    more = ("--test-labels", "e", "--train-ids", "t", "--problems", "q.csv", "--near", "n.csv")
    result = CliRunner().invoke(main, [*words, *more, "--images", "images"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("THREADS", "two"), ("THREADS", "0"), ("DEVICE", "gpu"), ("DEVICE", "cuda:99")],
)
def test_a_wrong_environment_is_named(name: str, value: str) -> None:
    from headstart.backbone.device import RuntimeParams, prepare

    runtime = RuntimeParams(precision="fp32", deterministic=False)
    with pytest.raises(HeadstartError, match=f"^HEADSTART_{name} is '{value}'"):
        prepare(runtime, {f"HEADSTART_{name}": value})
