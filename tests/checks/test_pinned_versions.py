"""Pinned versions: stages refuse others in one sentence, DVC reruns when they change."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headstart.checks.pinned_versions import other_versions
from headstart.checks.whole_file import load_section
from headstart.commands.cli import main
from headstart.project import versions as module
from headstart.project.params import PARAMS_FILE, ParamsError, read_params
from headstart.project.versions import as_pins, versions
from headstart.steps.train_head import TrainHeadParams
from tests.contract import ALWAYS, read_stages

ROOT = Path(__file__).parents[2]


def sentences(**runtime: Any) -> list[str]:
    return list(other_versions({"runtime": runtime}, Path("p.yaml")))


def test_installed_versions_are_right() -> None:
    assert sentences(versions="pinned", pinned=as_pins(versions())) == []
    assert sentences(versions="any", pinned="torch==0") == []
    assert list(other_versions({}, Path("p.yaml"))) == []


def test_other_versions_are_named_with_what_helps() -> None:
    here = versions()
    pins = as_pins(here | {"timm": "0.1", "pillow-heif": "9"})
    [said] = sentences(versions="pinned", pinned=pins)
    start = "p.yaml: runtime.versions is pinned, but other versions are installed: "
    assert said.startswith(f"{start}timm {here['timm']} (0.1 is pinned)")
    heif = here.get("pillow-heif", "is absent")
    assert f"pillow-heif {heif} (9 is pinned)" in said and "torch 2" not in said.split("Run")[0]
    assert f"`pip install {pins}`, or `headstart check --pin`" in said
    less = as_pins({name: number for name, number in here.items() if name != "numpy"})
    assert f"numpy {here['numpy']} (none is pinned)" in sentences(versions="pinned", pinned=less)[0]
    [empty] = sentences(versions="pinned", pinned="")
    assert empty.endswith("run `headstart check --pin`, which writes those that are installed.")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default params.yaml, and the sources that it names."""
    shutil.copy(ROOT / PARAMS_FILE, tmp_path)
    shutil.copytree(ROOT / "sources", tmp_path / "sources")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def checked(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["check", *arguments])
    return result.exit_code, result.output


@pytest.mark.usefixtures("project")
def test_a_pinned_file_is_refused_by_each_stage_where_another_version_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = PARAMS_FILE.read_text()
    assert checked("--pin") == (
        0,
        f"params.yaml: pinned {as_pins(versions())}.\nparams.yaml: all sections are right.\n",
    )
    runtime = read_params()["runtime"]
    assert (runtime["versions"], runtime["pinned"]) == ("pinned", as_pins(versions()))
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), PARAMS_FILE.read_text().splitlines(), strict=True)
        if old != new
    ]
    assert [new.split(":")[0].strip() for _, new in changed] == ["versions", "pinned"]
    assert all(old.split(" #")[1] == new.split(" #")[1] for old, new in changed)
    load_section("train_head", TrainHeadParams)  # the file was found right: a note says so
    real = module._version
    monkeypatch.setattr(module, "_version", lambda p: "0.0.1" if p == "timm" else real(p))
    with pytest.raises(ParamsError, match=r"timm 0\.0\.1 \(\S+ is pinned\)"):
        load_section("train_head", TrainHeadParams)
    status, said = checked()
    assert status == 1 and "runtime.versions is pinned, but other versions" in said
    assert checked("--pin")[0] == 0
    load_section("train_head", TrainHeadParams)
    assert "timm==0.0.1" in read_params()["runtime"]["pinned"]


@pytest.mark.usefixtures("project")
def test_a_note_of_another_timm_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    load_section("train_head", TrainHeadParams)
    notes = list(Path(".headstart/work/checked").iterdir())
    real = module._version
    monkeypatch.setattr(module, "_version", lambda p: "0.0.1" if p == "timm" else real(p))
    load_section("train_head", TrainHeadParams)
    assert len(list(Path(".headstart/work/checked").iterdir())) == len(notes) + 1


@pytest.mark.usefixtures("project")
def test_a_file_without_the_keys_is_told(tmp_path: Path) -> None:
    text = PARAMS_FILE.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("  pinned:")]
    PARAMS_FILE.write_text("\n".join(kept) + "\n")
    status, said = checked("--pin")
    assert (status, said) == (
        1,
        "Error: params.yaml: runtime.pinned is missing; add it as recipes/ have it.\n",
    )


def test_each_stage_that_versions_shape_reruns_when_pins_change() -> None:
    declared = {
        stage.name
        for stage in read_stages(ROOT)
        if "runtime" in stage.params or {"runtime.versions", "runtime.pinned"} <= stage.params
    }
    others = {stage.name for stage in read_stages(ROOT)} - declared
    assert others == {ALWAYS, "fetch-images", "fetch-weights", "write-submission"}
