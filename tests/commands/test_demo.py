"""`headstart demo` starts without a project, beside another, and beside one whose stages are old."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from headstart.commands.cli import main
from headstart.network.checkpoints import read_checkpoint, write_checkpoint
from tests.demo.cached_project import cached_project, info_of_cached, write_index

LACKS = "has no stage precompute-activations with --activations."


class Ended:
    """A server that Ctrl-C ends at once."""

    port = 7

    def serve_forever(self) -> None:
        raise KeyboardInterrupt

    def server_close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.demo.server.served", lambda app, port: Ended())


def started(model: str) -> str:
    result = CliRunner().invoke(main, ["demo", model, "--no-browser"])
    assert result.exit_code == 0, result.output
    assert "http://127.0.0.1:7  (Ctrl-C ends it)" in result.output
    return result.output


@pytest.mark.parametrize(
    ("pipeline", "sentence"),
    [
        ("", "has no dvc.yaml: name the folder of a project, or work in one."),
        ("vars: [p.yaml]\n", "dvc.yaml has no stages: name the folder of a project."),
        ("stages: [a]\n", "dvc.yaml has no stages"),
        ("stages:\n  a: {foreach: [1], do: {cmd: x}}\n", LACKS),
        ("stages:\n  precompute-activations: {cmd: [python a.py, echo b]}\n", LACKS),
        ("stages:\n  a: {cmd: 'echo it''s'}\n  b:\n  c: {cmd: 1, outs: [1], plots: x}\n", LACKS),
    ],
)
def test_another_folder_than_a_projects(files: list[str], pipeline: str, sentence: str) -> None:
    if pipeline:
        Path("dvc.yaml").write_text(pipeline)
    said = started("net.safetensors")
    assert "No similar pictures are shown: " in said and sentence in said


def test_a_project_whose_pictures_changed(files: list[str], repo_root: Path) -> None:
    project, _ = cached_project(Path(), repo_root)
    content = read_checkpoint(Path("net.safetensors"))
    about = {"weights": info_of_cached(project).weights, "classes": ("cat", "dog", "eel")}
    own = content.info.model_copy(update=about)
    write_checkpoint(Path("own.safetensors"), content.model_copy(update={"info": own}))
    assert "has other classes (cat, dog) than the network was trained" in started("own.safetensors")
    write_index(Path(), without="2", classes=own.classes)
    assert "run `dvc repro precompute-activations`." in started("own.safetensors")
    write_index(Path(), classes=own.classes)
    assert "No similar pictures" not in started("own.safetensors")
