"""The state of a project and its one complete row."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from headstart.steps.publish_run import publish_run
from headstart.tracking.data_set import digest
from headstart.tracking.records import RunRecord, write_run
from headstart.tracking.state import flatten, numbers, state_of

PARAMS = {"train_head": {"lr": 0.01, "phases": [{"train": "head"}], "empty": []}}
METRICS = {
    "train_head": {"valid": {"accuracy": 0.5}, "rule": "steepest", "done": True, "n_epochs": 3}
}


def test_a_row_holds_every_param_every_result_and_every_count() -> None:
    row = publish_run(PARAMS, METRICS, "0123abcd", "v1")
    assert row.params == {
        "train_head.lr": 0.01,
        "train_head.phases.0.train": "head",
        "train_head.empty": [],
    }
    assert row.metrics == {"train_head.valid.accuracy": 0.5, "train_head.done": 1.0}
    assert row.counts == {"train_head.n_epochs": 3}
    assert (row.data, row.revision) == ("0123abcd", "v1")
    assert row.state == state_of(PARAMS, METRICS)


def test_the_state_is_sha256_of_the_canonical_json() -> None:
    # printf '{"metrics": {}, "params": {"a": 1}}' | sha256sum
    expected = "05575be2e72960e7144147cd64cdb01f224ec8a98f205885bedc01bc17593fc8"
    assert state_of({"a": 1}, {}) == expected


def test_the_state_follows_values_and_nothing_else() -> None:
    assert state_of({"a": 1, "b": 2}, {}) == state_of({"b": 2, "a": 1}, {})
    assert state_of({"a": 1}, {}) != state_of({"a": 2}, {})
    assert state_of({"a": 1}, {"s": {"x": 1.0}}) != state_of({"a": 1}, {"s": {"x": 1.5}})
    assert state_of({"a": 1}, {"s": {"rule": "x"}}) != state_of({"a": 1}, {"s": {"rule": "y"}})


def test_flat_keys() -> None:
    assert flatten({"a": {"b": [1, {"c": None}]}, "d": {}}) == {
        "a.b.0": 1,
        "a.b.1.c": None,
        "d": {},
    }
    assert flatten({}) == {}
    assert numbers({"a": {"b": 1, "c": "text", "d": [0.5]}}) == {"a.b": 1.0, "a.d.0": 0.5}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("tta_evaluate: {confidence: 0.95}\n")
    Path("metrics").mkdir()
    Path("metrics/tta_evaluate.json").write_text("{}")
    write_run(RUN, RunRecord(key="k", stage="s", started_ms=0, params={}, tags={}))
    return tmp_path


RUN = Path("runs/tta_evaluate.json")
COMMAND = ["--metrics", "metrics", "--run", "runs", "--report", "report.html"]
COMMAND += ["--model", "model.safetensors", "--state", "state.json"]


@pytest.mark.usefixtures("told_in_process")
def test_the_script_writes_its_state_where_the_tracker_is_down(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.publish_run import main

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = CliRunner().invoke(main, COMMAND)
    assert result.exit_code == 0, result.output
    assert "headstart sync" in result.stderr
    state = state_of({"tta_evaluate": {"confidence": 0.95}}, {"tta_evaluate": {}})
    assert json.loads((project / "state.json").read_text()) == {"state": state}


def test_the_script_gives_the_row_the_digest_of_the_tables(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.publish_run import main

    found = []
    monkeypatch.setattr("stages.publish_run.publish_row", lambda row, *_: found.append(row.data))
    for content in ("a", "a", "b"):
        Path("labels.parquet").write_text(content)
        result = CliRunner().invoke(main, [*COMMAND, "--index", "labels.parquet"])
        assert result.exit_code == 0, result.output
    assert found[0] == found[1] == digest([hashlib.md5(b"a").hexdigest()]) != found[2]
    assert len(found[0]) == 8 and digest([]) == ""


def test_the_script_refuses_a_file_that_is_no_record(project: Path) -> None:
    from stages.publish_run import main

    RUN.write_text("{}")
    result = CliRunner().invoke(main, COMMAND)
    assert result.exit_code == 1
    assert "Error: runs/tta_evaluate.json is not the record of a stage's run" in result.stderr
    assert not (project / "state.json").exists()


def test_the_script_refuses_metrics_without_a_run(project: Path) -> None:
    from stages.publish_run import main

    (project / "metrics/train_tail.json").write_text("{}")
    result = CliRunner().invoke(main, COMMAND)
    assert result.exit_code == 1
    assert "runs/train_tail.json does not exist" in result.stderr
    assert "delete the metrics if dvc.yaml has no such stage" in result.stderr
    assert not (project / "state.json").exists()
