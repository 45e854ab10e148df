"""The whole pipeline in a temporary clone, on a few dozen real pictures. The tests run in order.

A run of all stages takes minutes, so all tests share one clone: each test starts from the state in
which the test before left it.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from PIL import Image

from headstart.evaluation.predictions import read_predictions
from headstart.labels.labels import read_labels
from headstart.pictures.table import read_pictures
from headstart.project.params import read_params
from headstart.tracking.state import results
from tests.contract import ALWAYS
from tests.tracked import results_of, stages_of
from tests.whole_project import Project, assert_row_is_right, runs_of

pytestmark = pytest.mark.end_to_end

CLASSES = ("global", "local", "nominal")
N_PER_SPLIT = {"train": 6, "valid": 3, "test": 3}
ACTIVATIONS = {"precompute-activations", "precompute-views"}
UPSTREAM = {"fetch-images", "fetch-weights", "index-images", "resize", *ACTIVATIONS, "find-lr-head"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("end_to_end"), Path(__file__).parents[1])
    textile = Path(str(files("conformal_clip_data") / "data/textile_images/simulated"))
    for name in CLASSES:
        pictures = iter(sorted((textile / name).iterdir()))
        for split, n in N_PER_SPLIT.items():
            folder = project.pictures / split / name
            folder.mkdir(parents=True)
            for _ in range(n):
                shutil.copy(next(pictures), folder)
    project.quicken({"dataset.source": str(project.pictures), "index_images.split": "given"})
    yield project
    project.run("dvc", "queue", "stop", "--kill")


@pytest.fixture
def untold(project: Project) -> Iterator[None]:
    """For a test that does not look at MLflow."""
    with project.without_mlflow():
        yield


def test_all_stages_run_and_leave_their_results(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = set(read_params(project.root / "dvc.yaml")["stages"]) - {ALWAYS}
    assert project.repro() == stages
    for stage in stages - {"publish-run"}:
        [line] = re.findall(rf"^{stage}: .+ s; .+\)$", project.said, re.M)
        assert len(line) <= 130, line
        assert (project.root / line.rpartition("; ")[2].removesuffix(")")).exists(), line
    end = project.said[project.said.index("publish-run: the row ") :]
    assert re.search(
        r"^valid: accuracy [\d.]+ \(.+\), TTA .+ 9 pictures, which chose it$", end, re.M
    )
    assert "\nreport: data/6_reports/report.html\n" in end
    project.commit()
    assert set(project.metrics()) == {s.replace("-", "_") for s in stages} - {"publish_run"}
    predictions = read_predictions(project.root / "data/5_predictions/predictions.parquet")
    assert predictions.classes == CLASSES
    assert predictions.table.split.value_counts().to_dict() == {"valid": 9, "test": 9}
    evaluated = project.metrics()["tta_evaluate"]
    for split in ("valid", "test"):
        for kind in ("plain", "tta"):
            scores = evaluated[split][kind]
            assert (
                0 <= scores["accuracy_ci_low"] <= scores["accuracy"] <= scores["accuracy_ci_high"]
            )
            assert scores["log_loss"] > 0
    assert set(evaluated["checkpoints"]) == {"head", "augmented", "finetuned"}

    [row] = runs_of(project.root, "headstart.complete", monkeypatch)
    assert_row_is_right(project, row)
    stage_runs = runs_of(project.root, "headstart.stage", monkeypatch)
    assert {r.data.tags["headstart.stage"] for r in stage_runs} == stages - {"publish-run"}
    assert {r.info.status for r in stage_runs} == {"FINISHED"}
    assert {r.data.tags["mlflow.parentRunId"] for r in stage_runs} == {row.info.run_id}
    for run in stage_runs:
        stage = run.data.tags["headstart.stage"]
        assert stages_of(row)[stage] == run.info.run_id


def test_what_an_out_holds_is_kept_nowhere_else(project: Project) -> None:
    records, n_in_outs = project.root / ".headstart/work/records", {}
    for out in records.glob("*/*.out"):
        in_out = {line.split()[0] for line in out.read_text().splitlines()[1:]}
        own = {line.split()[0] for line in (out.parent / "records.txt").read_text().splitlines()}
        assert not in_out & own  # own: predict-views' records of valid and test
        n_in_outs[out] = len(in_out)
    assert sorted(n_in_outs.values()) == [18, 18, 36, 36]  # two views of train; plain, resized
    cached = {file.stat().st_ino for file in (project.root / ".dvc/cache").rglob("*")}
    outs = [file for file in (project.root / "data").rglob("*") if file.is_file()]
    assert [file for file in outs if file.stat().st_ino not in cached and file.name[0] != "."] == []


def test_a_second_run_runs_nothing(project: Project) -> None:
    assert project.repro() == set()
    assert project.run("git", "status", "--porcelain") == ""


def test_an_edited_rate_reruns_its_stage_and_what_is_below(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = project.downstream("train-head")
    assert not below & UPSTREAM and {"train-augmented", "tta-evaluate", "publish-run"} <= below
    project.edit({"train_head.lr": 0.1})
    assert project.repro() == below
    newest, first = runs_of(project.root, "headstart.complete", monkeypatch)
    assert_row_is_right(project, newest)
    for stage in UPSTREAM:
        assert stages_of(newest)[stage] == stages_of(first)[stage]
    for stage in below - {"publish-run"}:
        assert stages_of(newest)[stage] != stages_of(first)[stage]


def test_going_back_restores_and_writes_a_fresh_right_row(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit({"train_head.lr": 0.01})
    assert project.repro() == {"publish-run"}
    newest, _, first = runs_of(project.root, "headstart.complete", monkeypatch)
    assert_row_is_right(project, newest)
    assert newest.data.metrics == first.data.metrics
    assert newest.data.tags["headstart.state"] == first.data.tags["headstart.state"]
    assert stages_of(newest)["train-head"] == stages_of(first)["train-head"]
    assert project.run("git", "status", "--porcelain") == ""


def test_sync_adds_the_row_of_a_revision_to_a_store_that_lacks_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "MLflow has the row already" in project.headstart("sync")
    project.edit({"train_head.lr": 0.5})  # not run: a row shows results, not edited params
    publish_command = (project.root / "dvc.yaml").read_text().partition("  publish-run:")[2]
    for rev in ([], ["HEAD"]):
        uri = f"sqlite:///{tmp_path / f'other{len(rev)}.db'}"
        said = project.headstart("sync", *rev, MLFLOW_TRACKING_URI=uri)
        assert "Added the row" in said, said
        again = project.headstart("sync", *rev, MLFLOW_TRACKING_URI=uri)
        assert "MLflow has the row already" in again
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        [row] = runs_of(tmp_path, "headstart.complete", monkeypatch)
        assert row.data.params["train_head.lr"] == "0.01"
        assert results_of(row) == pytest.approx(results(project.metrics()))
        n_stages = len(project.metrics())
        stage_runs = runs_of(tmp_path, "headstart.stage", monkeypatch)
        assert len(stage_runs) == n_stages
        assert not any("headstart.missing" in run.data.tags for run in [row, *stage_runs])
        shown = [file.path for file in MlflowClient(uri).list_artifacts(row.info.run_id)]
        reports = re.findall(r"--report (\S+)", publish_command)
        assert set(shown) == {Path(report).name for report in reports} and len(reports) > 2
    project.edit({"train_head.lr": 0.01})


@pytest.mark.usefixtures("untold")
def test_a_corrected_label_computes_no_activation(project: Project) -> None:
    """This runs the stages down to the first that reads labels; a later test runs the rest."""
    moved = sorted((project.pictures / "valid/local").iterdir())[0]
    before = project.labels_of(f"valid/local/{moved.name}")
    moved.rename(project.pictures / "valid/nominal" / f"corrected_{moved.name}")
    ran = project.repro(*sorted(ACTIVATIONS), "find-lr-head")
    assert not ran & (ACTIVATIONS | {"fetch-weights"})
    assert {"index-images", "find-lr-head"} <= ran
    after = project.labels_of(f"valid/nominal/corrected_{moved.name}")
    assert (before, after) == ((after[0], ["local"]), (before[0], ["nominal"]))


def content_ids(project: Project) -> set[str]:
    """Return the ids of the pictures in the user's folder, from their bytes alone."""
    files = [path for path in project.pictures.rglob("*") if path.is_file()]
    return {hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in files}


def assert_the_index_is_right(project: Project) -> None:
    pictures = read_pictures(project.root / "data/1_index/pictures.parquet")
    assert set(pictures.id) == content_ids(project)


def assert_nothing_is_stale(project: Project) -> None:
    assert_the_index_is_right(project)
    ids = content_ids(project)
    labels = read_labels(project.root / "data/1_index/labels.parquet")
    [plain] = (project.root / "data/3_activations/plain").rglob("rows.parquet")
    assert set(pd.read_parquet(plain).id) == ids
    [views] = (project.root / "data/3_activations/views").rglob("rows.parquet")
    assert set(pd.read_parquet(views).id) == set(labels.ids("train"))


@pytest.mark.usefixtures("untold")
@pytest.mark.parametrize("what", ["added", "changed", "removed"])
def test_a_picture_that_is(what: str, project: Project) -> None:
    """This runs the stages down to the index, at last to the activations; a later test the rest."""
    picture = project.pictures / "train/nominal/mine.png"
    if what == "removed":
        sorted((project.pictures / "train/local").iterdir())[0].unlink()
    else:
        grey = 40 if what == "added" else 200
        Image.new("RGB", (80, 70), (grey, grey, 90)).save(picture)
    if what == "removed":
        ran = project.repro(*sorted(ACTIVATIONS))
        assert ran == {"fetch-images", "index-images", "resize", *ACTIVATIONS}
        assert_nothing_is_stale(project)
    else:
        assert project.repro("index-images") == {"fetch-images", "index-images"}
        assert_the_index_is_right(project)


@pytest.mark.usefixtures("untold")
def test_the_folder_may_move(project: Project) -> None:
    """The stages that read the pictures reuse their work; no out changes, so no other stage runs."""
    project.pictures = project.pictures.rename(project.pictures.with_name("elsewhere"))
    project.edit({"dataset.source": str(project.pictures)})
    assert project.repro(*sorted(ACTIVATIONS)) == {"fetch-images", "index-images", "resize"}


@pytest.mark.usefixtures("untold")
def test_a_changed_picture_and_a_corrected_label_reach_the_predictions(project: Project) -> None:
    picture = sorted((project.pictures / "test/global").iterdir())[0]
    Image.new("RGB", (90, 90), (10, 200, 10)).save(picture)
    ran = project.repro()
    assert {"precompute-activations", "tta-evaluate", "confusion-report", "publish-run"} <= ran
    assert_nothing_is_stale(project)
    predictions = read_predictions(project.root / "data/5_predictions/predictions.parquet")
    labels = read_labels(project.root / "data/1_index/labels.parquet")
    assert set(predictions.table.id) == {*labels.ids("valid"), *labels.ids("test")}
    [corrected] = (project.pictures / "valid/nominal").glob("corrected_*")
    table: Any = predictions.table.set_index("id")
    [target] = table.loc[project.labels_of(f"valid/nominal/{corrected.name}")[0], "targets"]
    assert predictions.classes[target] == "nominal"
    assert project.repro() == set()
    project.commit()


@pytest.mark.long
def test_queued_experiments_lose_no_run_and_run_the_queued_code(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project.without_mlflow():
        if project.repro():  # `-m long` leaves out the tests before
            project.commit()
    assert "Added the row" in project.headstart("sync")
    module = project.root / "src/headstart/steps/train_head.py"
    code, trace = module.read_text(), tmp_path / "trace"
    known = {row.info.run_id for row in runs_of(project.root, "headstart.complete", monkeypatch)}
    stages = {run.info.run_id for run in runs_of(project.root, "headstart.stage", monkeypatch)}

    def queue(name: str, lr: float) -> None:
        project.run("dvc", "exp", "run", "--queue", "-n", name, "-S", f"train_head.lr={lr}")

    rates = {"first": 0.02, "second": 0.03, "third": 0.00001}
    queue("first", rates["first"])
    queue("second", rates["second"])
    module.write_text(f"{code}\n\nimport pathlib\n\npathlib.Path({str(trace)!r}).touch()\n")
    queue("third", rates["third"])
    module.write_text(f'{code}\n\nraise RuntimeError("this edit came after queueing")\n')
    try:
        project.run("dvc", "queue", "start", "-j", "2")
        wait_for_queue(project)
    finally:
        module.write_text(code)
    assert trace.exists(), "the third experiment did not run the code it was queued with"

    rows = runs_of(project.root, "headstart.complete", monkeypatch)
    added = [row for row in rows if row.info.run_id not in known]
    new = {row.data.tags["headstart.experiment"]: row for row in added}
    assert {name: row.info.run_name for name, row in new.items()} == {
        name: f"train_head.lr={lr}" for name, lr in rates.items()
    }
    new_stages = {
        run.info.run_id: run for run in runs_of(project.root, "headstart.stage", monkeypatch)
    }
    n_below = len(project.downstream("train-head")) - 1
    assert len(new_stages.keys() - stages) == 3 * n_below
    for name, row in new.items():
        assert float(row.data.params["train_head.lr"]) == rates[name]
        head = new_stages[stages_of(row)["train-head"]]
        assert float(head.data.params["train_head.lr"]) == rates[name]
        assert head.data.tags["mlflow.parentRunId"] == row.info.run_id
        assert head.data.tags["headstart.experiment"] == name
        metrics = json.loads(
            project.run("git", "show", f"{experiment(project, name)}:metrics/train_head.json")
        )
        found = {k: v for k, v in row.data.metrics.items() if k.startswith("train_head.")}
        assert found == pytest.approx(results({"train_head": metrics}))
    assert project.repro() == set()


def wait_for_queue(project: Project, timeout_s: float = 900.0) -> None:
    """Wait until no experiment is queued or running, and none has failed."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        status = project.run("dvc", "queue", "status")
        assert "Failed" not in status, status + project.run("dvc", "queue", "logs", failed(status))
        if "Queued" not in status and "Running" not in status:
            assert status.count("Success") == 3, status
            return
        time.sleep(5)
    pytest.fail(f"the queue did not end within {timeout_s} s\n{status}")


def failed(status: str) -> str:
    """Return the id of the first experiment that failed."""
    return next(line.split()[0] for line in status.splitlines() if "Failed" in line)


def experiment(project: Project, name: str) -> str:
    """Return the commit of an experiment."""
    refs = project.run("git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
    return next(
        line.split()[1] for line in refs.splitlines() if line.split()[0].endswith(f"/{name}")
    )


@pytest.mark.usefixtures("untold")
def test_the_embedded_pictures_run_from_their_package(project: Project) -> None:
    project.edit(
        {
            "dataset.source": "sources/textile.yaml",
            "index_images.n_max_per_class": 8,
            "index_images.split": "stratified",
        }
    )
    ran = project.repro("train-head")
    assert {"fetch-images", "index-images", "resize", "train-head"} <= ran
    labels = read_labels(project.root / "data/1_index/labels.parquet")
    assert labels.classes == CLASSES
    assert len(labels.table) == 24
    assert labels.splits() == ["train", "valid", "test"]


def test_no_run_has_written_into_the_cache(project: Project) -> None:
    """Outs are links into it, so a stage that wrote one in place would change it for all revisions."""
    cache = project.root / ".dvc/cache/files/md5"
    objects = [file for file in cache.glob("??/*") if file.is_file()]
    assert len(objects) > 20
    for file in objects:
        digest = file.parent.name + file.name.removesuffix(".dir")
        assert hashlib.md5(file.read_bytes()).hexdigest() == digest
