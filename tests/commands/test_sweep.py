"""`headstart sweep` in a project of generated features: what it writes, says and refuses."""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from headstart.commands.cli import main
from headstart.commands.experiment_queue import ExperimentQueue
from headstart.commands.sweep_inputs import read_cached_set
from headstart.labels.labels import write_labels
from headstart.project.params import read_params
from headstart.sweeping import study
from headstart.sweeping.objective import HeadParamsOfAll
from tests.sweeping.generated import ROOT, WHY, diverge, make_labels, write_project

needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")
DOWN = "http://127.0.0.1:9"  # importing MLflow takes seconds; tests/tracking has it up


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.setenv("HEADSTART_WORKERS", "1")  # tests/sweeping has several processes
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    monkeypatch.chdir(tmp_path)
    # It loads all networks of timm, for seconds; tests/checks is about it.
    monkeypatch.setattr("headstart.checks.whole_file.require_right_file", lambda path, **_: None)
    write_project(tmp_path)
    return tmp_path


def sweep(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sweep", *arguments])


@needs_optuna
def test_a_gain_is_a_patch_to_look_at(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    narrow = [
        "--only",
        "--search",
        "train_head.lr=0.01:0.3",
        "--search",
        "train_head.n_epochs=2:20",
    ]
    result = sweep("14", *narrow)
    assert result.exit_code == 0, result.output
    assert (project / "params.yaml").read_bytes() == before
    told = result.stdout
    assert told.startswith("14 trials on 30 pictures of valid; ")
    assert "beyond noise" in told and "\nparams.yaml" in told and "What mattered most: " in told
    patch = project / ".headstart/sweep.patch"
    assert patch.read_text() in told and f"git apply {patch.relative_to(project)}" in told
    own = told.replace(patch.read_text(), "")
    assert max(map(len, own.splitlines())) <= 80
    subprocess.run(["git", "apply", str(patch)], cwd=project, check=True)
    changed, table = read_params(), pd.read_csv(project / ".headstart/sweep.csv")
    [best] = table.index[
        (table["train_head.lr"] == changed["train_head"]["lr"])
        & (table["train_head.n_epochs"] == changed["train_head"]["n_epochs"])
    ]
    assert f"trial {best}: its log loss is " in told
    assert list(table["trial"]) == list(range(14)) and table["ended"][0] == "trained"
    assert set(table["ended"]) <= {"trained", "early", "diverged"}
    assert (project / ".headstart/sweep.png").exists()
    assert f"Logging to MLflow at {DOWN} failed" in result.stderr


@needs_optuna
def test_what_a_patch_cannot_replace_is_to_be_set_by_hand(project: Path) -> None:
    params, patch = project / "params.yaml", project / ".headstart/sweep.patch"
    text = params.read_text(encoding="utf-8")
    text = text.replace("train_head:\n  lr: 0.01", "train_head:\n  lr: &rate 0.01")
    params.write_text(
        text.replace("full\n      lr: 0.01", "full\n      lr: *rate"), encoding="utf-8"
    )
    patch.parent.mkdir(exist_ok=True)
    patch.write_text("of an earlier sweep")
    search = ("--search", "train_head.lr=0.1:0.3", "--search", "train_head.n_epochs=10:20")
    result = sweep("3", "--only", *search)
    assert result.exit_code == 0, result.output
    told, table = result.stdout, pd.read_csv(patch.with_suffix(".csv"))
    assert "\nparams.yaml writes one of train_head.lr" in told and "beyond noise" in told
    assert "Set by hand: train_head.lr=" in told and "git apply" not in told
    assert "\nAll trials: .headstart/sweep.csv\n" in told
    assert len(table) == 3 and not patch.exists()


@needs_optuna
def test_it_goes_on_unless_what_shapes_it_has_changed(project: Path) -> None:
    one = ["--only", "--search", "train_head.lr=0.01:0.02"]
    assert sweep("3", *one).stdout.startswith("3 trials on ")
    assert sweep("5", *one).stdout.startswith("5 trials (2 of them new) on ")
    assert sweep("5", *one).stdout.startswith("5 trials (0 of them new) on ")
    labels = make_labels()
    labels.table["labels"].iloc[0][:] = ["b"]
    write_labels(project / "data/1_index/labels.parquet", labels)
    assert sweep("2", *one).stdout.startswith("2 trials on ")


@needs_optuna
def test_within_noise_it_recommends_no_change() -> None:
    result = sweep("4", "--only", "--search", "train_head.lr=0.0099:0.0101")
    assert "\nKeep params.yaml: the best, trial " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "git apply" not in result.stdout and "+++" not in result.stdout


@needs_optuna
@pytest.mark.parametrize(
    ("lr", "verdict"),
    [
        (0.01, "params.yaml diverged with another seed, so no gain over it can be known."),
        (0.02, "Keep params.yaml: each of the best trials diverged with another seed."),
    ],
)
def test_what_diverges_with_another_seed_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, lr: float, verdict: str
) -> None:
    """Beside the present rate of 0.01 the sweep has one other; repeats have the seeds 1 to 3."""
    sections = read_params()
    sections["train_head"] |= {"lr": lr, "seed": 2}
    sections["train_augmented"]["seed"] = 2
    diverge(monkeypatch, HeadParamsOfAll.of(sections, Path("params.yaml")))
    result = sweep("2", "--only", "--search", "train_head.lr=0.02,0.02")
    assert result.exit_code == 0, result.output
    told = result.stdout
    assert f"\n{verdict}\n" in told and max(map(len, told.splitlines())) <= 80
    name = "params.yaml" if lr == 0.01 else "trial 1"
    assert f"\n{name:11}  diverged with another seed  " in told
    assert (WHY in " ".join(told.split())) is (lr == 0.01)
    assert ("The best trial that diverged with no seed is trial 1.\n" in told) is (lr == 0.01)
    assert list(pd.read_csv(project / ".headstart/sweep.csv")["ended"]) == ["trained"] * 2


@needs_optuna
def test_ctrl_c_keeps_the_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    record = study.Study._record

    def interrupted(self: study.Study, *ended: Any) -> study.Trial:
        if self.trials():
            raise KeyboardInterrupt
        return record(self, *ended)

    monkeypatch.setattr(study.Study, "_record", interrupted)
    result = sweep("3")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted after 1 trial, which is kept: the same command goes on.\n"


@needs_optuna
def test_what_needs_the_network_is_queued_and_not_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "someone")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "someone@example.org")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(project.parent / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    (project / ".gitignore").write_text("/data\n/.headstart\n")
    for command in (
        ["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"], ["git", "add", "-A"],
        ["git", "commit", "-qm", "all"],
    ):  # fmt: skip
        subprocess.run(command, cwd=project, check=True, capture_output=True)
    before = (project / "params.yaml").read_bytes()
    key = "unfreeze_finetune.phases.0.cycles"
    result = sweep("2", "--queue", "--only", "--search", f"{key}=1,2,3")
    assert result.exit_code == 0, result.output
    assert (project / "params.yaml").read_bytes() == before
    assert "dvc queue start -j 2" in result.stdout and f"a  {key}" in result.stdout
    states = ExperimentQueue(project).status().experiments
    assert list(states.values()) == ["Queued"] * 2
    assert all(name in result.stdout for name in states)
    refs = subprocess.run(
        ["git", "log", "-g", "--format=%H", "refs/exps/celery/stash"],
        cwd=project, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    queued = [
        subprocess.run(
            ["git", "show", f"{ref}:params.yaml"], cwd=project, check=True, capture_output=True
        ).stdout
        for ref in refs
    ]
    cycles = [YAML().load(text)["unfreeze_finetune"]["phases"][0]["cycles"] for text in queued]
    assert sorted(cycles) == [1, 3]
    figures("2 of 2 experiments queued with the params drawn, 0 run, params.yaml as it was")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--search", "augment.max_zoom=0.1,0.2"], "--search: augment.max_zoom is 0.1"),
        (["--search", "train_head.seed=0,1,2"], "`headstart seeds` compares seeds"),
        (["--search", "augment.max_zoom=1,1.1"], "hold only 1 beside params.yaml"),
    ],
)
@needs_optuna
def test_experiments_that_could_not_run_are_not_queued(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ExperimentQueue, "add", refused)
    result = sweep("2", "--queue", "--only", *arguments)
    assert result.exit_code == 1 and sentence in result.stderr


def test_what_is_searched_is_listed() -> None:
    result = sweep(
        "--list", "--search", "head.hidden_units=4,8", "--search", "train_head.lr=1e-4:1"
    )
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert rows["head.hidden_units"].endswith("  8     4, 8")
    assert rows["train_head.lr"].endswith("  0.01  0.0001 to 1.0, log")
    assert "sampling.balance" in rows and max(map(len, rows.values())) <= 80


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--search", "head.dropout.0=0:1"], "head.dropout.0 is 1.0: it must be less than 1 ("),
        (["--search", "sampling.balance=none,some"], "sampling.balance is 'some': it must be "),
        (["--search", "augment.max_zoom=1:2"], "--queue --only --search augment.max_zoom="),
        (["--only"], "--only needs a --search."),
    ],
)
def test_what_params_yaml_could_not_hold_is_refused(arguments: list[str], sentence: str) -> None:
    result = sweep(*arguments)
    assert result.exit_code == 1 and sentence in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("name", "stage"), [("views", "precompute-views"), ("plain", "precompute-activations")]
)
def test_a_stage_that_has_not_run_is_named(project: Path, name: str, stage: str) -> None:
    folder = project / "data/3_activations" / name
    folder.rename(project / "elsewhere")
    result = sweep("3")
    assert result.exit_code == 1
    assert f"data/3_activations/{name} does not exist: run `dvc repro {stage}`." in result.stderr


def test_valid_without_labels_is_told(project: Path) -> None:
    write_labels(project / "data/1_index/labels.parquet", make_labels(valid=False))
    assert "labelled pictures of valid, and there are none" in sweep("3").stderr


def test_a_folder_that_is_no_project_is_told(project: Path) -> None:
    (project / "dvc.yaml").unlink()
    assert "has no dvc.yaml: name the folder of a project, or work in one." in sweep("3").stderr


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    result = sweep("3")
    assert result.exit_code == 1 and "pip install 'headstart[sweep]'" in result.stderr


def test_the_range_test_is_read_for_auto_alone(project: Path) -> None:
    from headstart.backbone.device import PLAIN_CPU

    assert read_cached_set(PLAIN_CPU, 0.01).suggestion.lr is None
    (project / "data/6_reports").mkdir()
    text = '{"lr": 0.02, "reason": "rule valley"}'
    (project / "data/6_reports/find_lr_head.json").write_text(text)
    found = read_cached_set(PLAIN_CPU, "auto")
    assert found.suggestion.lr == 0.02
    assert isinstance(found.plain.first().features, np.memmap)


def test_the_extra_of_the_project_is_what_is_needed() -> None:
    assert '\nsweep = ["optuna>=5,<6"]\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
