"""The whole of params.yaml before any work: refused by the first stage, remembered by the others."""

import re
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headstart.checks.whole_file import check_file, load_section, require_right_file
from headstart.image_files.tree import DatasetParams
from headstart.project.params import PARAMS_FILE, ParamsError
from tests.checks.conftest import Edit

ROOT = Path(__file__).parents[2]


WRONG = {"tta_evaluate.n_bootstrap": 50, "train_head.lr": -1e-3, "resize.size_px": 100}
SENTENCES = [
    "params.yaml: train_head.lr is -0.001: it must be greater than 0 or 'auto' (learning "
    "rate, above 0; auto: what find-lr-head suggests).",
    "params.yaml: tta_evaluate.n_bootstrap is 50: it must be greater than or equal to 100 (resamples "
    "behind the intervals of log loss, macro-F1, F2 and mAP, 100 to 1,000,000).",
    "params.yaml: resize.size_px is 100, but must be at least backbone.size_px (240): otherwise "
    "pictures are stored small and enlarged again.",
]


@pytest.mark.parametrize("script", ["write_submission", "fetch_images"])
def test_any_stage_refuses_what_is_wrong_in_any_section(
    edit: Edit, tmp_path: Path, script: str
) -> None:
    edit(WRONG)
    source = (ROOT / f"stages/{script}.py").read_text()
    options = re.findall(r'click\.option\(\s*"(--[a-z-]+)"', source)
    arguments = [part for option in options for part in (option, str(tmp_path / "none"))]
    done = CliRunner().invoke(import_module(f"stages.{script}").main, arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: " + "\n".join(SENTENCES) + "\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml", "sources"]


def test_a_section_that_is_right_is_refused_for_the_others(edit: Edit) -> None:
    assert load_section("dataset", DatasetParams).source == "sources/textile.yaml"
    edit(WRONG)
    with pytest.raises(ParamsError) as caught:
        load_section("dataset", DatasetParams)
    assert str(caught.value).splitlines() == SENTENCES


@pytest.fixture
def n_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever all sections are read."""
    from headstart.checks import sections

    looks: list[int] = []
    read = sections.read_sections

    def counted(values: Mapping[str, Any], path: Path) -> Any:
        looks.append(1)
        return read(values, path)

    monkeypatch.setattr(sections, "read_sections", counted)
    return looks


def test_a_file_is_checked_once_for_each_content(edit: Edit, n_looks: list[int]) -> None:
    for _ in range(3):
        require_right_file(PARAMS_FILE, at_sources=False)
    assert len(n_looks) == 1
    edit({"train_head.lr": 0.02})
    require_right_file(PARAMS_FILE, at_sources=True)
    require_right_file(PARAMS_FILE, at_sources=False)
    assert len(n_looks) == 2
    assert check_file(PARAMS_FILE).errors == []
    assert len(n_looks) == 2


def test_a_missing_file_is_told(edit: Edit) -> None:
    PARAMS_FILE.unlink()
    with pytest.raises(ParamsError, match=r"params\.yaml does not exist; copy one from recipes/"):
        load_section("dataset", DatasetParams)


def test_a_wrong_file_is_checked_each_time(edit: Edit, n_looks: list[int]) -> None:
    edit({"train_head.lr": -1.0})
    for n in (1, 2):
        with pytest.raises(ParamsError):
            require_right_file(PARAMS_FILE, at_sources=False)
        assert len(n_looks) == n


def test_the_temporary_copy_of_a_queued_experiment_finds_the_note(
    edit: Edit, n_looks: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_right_file(PARAMS_FILE, at_sources=False)
    copy = tmp_path / ".dvc/tmp/exps/tmp1"
    copy.mkdir(parents=True)
    shutil.copy("params.yaml", copy)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    require_right_file(PARAMS_FILE, at_sources=False)
    assert len(n_looks) == 1 and [path.name for path in copy.iterdir()] == ["params.yaml"]


def test_other_code_checks_again(
    edit: Edit, n_looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_right_file(PARAMS_FILE, at_sources=False)
    monkeypatch.setattr("headstart.checks.whole_file.code_digest", lambda: "other")
    require_right_file(PARAMS_FILE, at_sources=False)
    assert len(n_looks) == 2


def test_warnings_are_remembered_and_refuse_nothing(edit: Edit) -> None:
    edit({"precompute_views.n_views": 1})
    for _ in range(2):
        found = check_file(PARAMS_FILE)
        assert found.errors == [] and len(found.warnings) == 1
        require_right_file(PARAMS_FILE, at_sources=True)


def test_sources_must_be_there_where_a_stage_reads_them(edit: Edit) -> None:
    """A machine that has the activations, but neither pictures nor weights, can train heads."""
    edit({"dataset.source": "/no/such/folder", "backbone.weights": "/no/weights.pth"})
    for _ in range(2):
        require_right_file(PARAMS_FILE, at_sources=False)
        with pytest.raises(ParamsError) as caught:
            require_right_file(PARAMS_FILE, at_sources=True)
        assert len(str(caught.value).splitlines()) == 2


def test_what_is_missing_below_the_pictures_is_found_by_any_stage(edit: Edit) -> None:
    edit({"write_submission.sample": "smaple.csv"})
    for _ in range(2):
        with pytest.raises(ParamsError, match=r"write_submission\.sample is 'smaple\.csv'"):
            require_right_file(PARAMS_FILE, at_sources=False)


def test_a_network_that_timm_does_not_know_is_refused_before_any_download(edit: Edit) -> None:
    edit({"backbone.name": "resnet5000", "backbone.weights": "sources/random.yaml"})
    with pytest.raises(ParamsError, match=r"timm does not know\. Did you mean one of resnet50"):
        require_right_file(PARAMS_FILE, at_sources=True)


def test_a_size_that_the_network_does_not_take_is_refused_by_the_first_stage(edit: Edit) -> None:
    edit({"backbone.name": "test_maxvit", "backbone.weights": "sources/random.yaml"})
    edit({"backbone.size_px": 64, "augment.shift_px": 0, "find_lr_finetune.size_px": 32})
    with pytest.raises(ParamsError) as caught:
        load_section("dataset", DatasetParams)
    [line] = str(caught.value).splitlines()
    assert line.startswith("params.yaml: find_lr_finetune.size_px is 32, which backbone.name")
    assert line.endswith("Sizes that fit: 64 px.")
    assert check_file(PARAMS_FILE).errors == [line]


def test_another_file_leaves_no_note(edit: Edit, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    PARAMS_FILE.rename(other)
    assert check_file(other).errors == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.yaml", "sources"]
