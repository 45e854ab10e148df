"""`headstart folds` and `headstart seeds`, on DVC's real queue where it matters."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from headstart.commands.cli import main
from headstart.commands.experiment_queue import ExperimentQueue, QueueError
from headstart.commands.experiment_runs import problems_of
from headstart.commands.experiment_settings import SettingsError, parse_settings
from headstart.commands.kept_spread import SPREAD_FILE, spread_note
from headstart.commands.queue_status import N_MISSES, QueueStatus, Watch

SEED_SECTIONS = ("train_head", "train_augmented", "unfreeze_finetune")
PARAMS: dict[str, Any] = {
    "index_images": {"split": "stratified", "n_folds": 0, "fold": 0},
    "resize": {"quality": 10},
    **{section: {"seed": 0} for section in SEED_SECTIONS},
}
# Accuracy and log loss tell of every param, so that the numbers show what each experiment ran with.
EVALUATE = """\
import json
from pathlib import Path
from ruamel.yaml import YAML

params = YAML(typ="safe", pure=True).load(Path("params.yaml"))
index, quality = params["index_images"], params["resize"]["quality"]
seeds = {params[s]["seed"] for s in ("train_head", "train_augmented", "unfreeze_finetune")}
if index["fold"] == 2:
    raise SystemExit("fold 2 is of no use")
[seed] = seeds
scores = {"accuracy": index["fold"] / 10 + seed / 100, "log_loss": index["n_folds"] + quality}
Path("metrics").mkdir(exist_ok=True)
Path("metrics/tta_evaluate.json").write_text(json.dumps({"valid": {"tta": scores}}))
"""
STAGE = {
    "cmd": "python evaluate.py",
    "deps": ["evaluate.py"],
    "params": list(PARAMS),
    "metrics": [{"metrics/tta_evaluate.json": {"cache": False}}],
}
ACCURACY, LOG_LOSS = "tta_evaluate.valid.tta.accuracy", "tta_evaluate.valid.tta.log_loss"


def headstart(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A committed project of one quick stage, below the top of its repository.

    PATH holds git and the shell's programs alone: no dvc, and no python of this environment.
    """
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "someone")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "someone@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    git = shutil.which("git")
    assert git is not None
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(git).parent), os.defpath]))
    monkeypatch.setattr("headstart.commands.experiment_queue.POLL_S", (0.5, 2.0))
    root = tmp_path / "repository/project"
    root.mkdir(parents=True)
    monkeypatch.chdir(root)
    YAML().dump({"stages": {"tta-evaluate": STAGE}}, root / "dvc.yaml")
    YAML().dump(PARAMS, root / "params.yaml")
    (root / "evaluate.py").write_text(EVALUATE)
    run("git", "init", "-q", str(root.parent))
    yield root
    if (root / ".dvc").exists():
        run(sys.executable, "-m", "dvc", "queue", "stop", "--kill")


def commit() -> None:
    """Make the project one of DVC's, and commit it."""
    run(sys.executable, "-m", "dvc", "init", "-q", "--subdir")
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "a state")


def experiments() -> list[str]:
    refs = run("git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    return sorted(ref.split("/")[-1] for ref in refs if re.search(r"/(fold|seed)-", ref))


def test_folds_of_which_one_fails(project: Path, tmp_path: Path) -> None:
    commit()
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(params + "# an edit that is not committed\n")
    table = tmp_path / "folds.csv"
    result = headstart("folds", "3", "-j", "2", "-S", "resize.quality=20", "--csv", str(table))
    assert result.exit_code == 1, result.output

    names = re.findall(r"^Queued (\S+)\.$", result.output, re.M)
    assert [re.sub(r"-[0-9a-f]{6}$", "", name) for name in names] == [
        f"fold-{fold}-of-3" for fold in range(3)
    ]
    assert experiments() == names[:2]
    assert "fold 2 is of no use" in result.output
    assert f"1 of 3 experiments failed: {names[2]}." in result.output
    assert re.search(rf"^{ACCURACY} +2 +0.0500 +0.0707 +0.0000 +0.1000", result.output, re.M)

    with table.open() as opened:
        rows = {row["metric"]: row for row in csv.DictReader(opened)}
    assert rows.keys() == {ACCURACY, LOG_LOSS}
    assert [rows[ACCURACY][name] for name in names] == ["0.0", "0.1", ""]
    assert [rows[LOG_LOSS][name] for name in names] == ["23.0", "23.0", ""]
    assert (project / "params.yaml").read_text() == params + "# an edit that is not committed\n"
    assert run("git", "status", "--porcelain").split() == ["M", "project/params.yaml"]


def test_seeds_of_which_one_is_there_already(project: Path) -> None:
    (project / ".gitignore").write_text("__pycache__\n")
    commit()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    repro = [sys.executable, "-m", "dvc", "repro", "-q"]
    subprocess.run(repro, check=True, env=os.environ | {"PATH": path})
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "results of seed 0")
    result = headstart("seeds", "2", "--metric", ACCURACY)
    assert result.exit_code == 0, result.output
    cells = "2 +0.0050 +0.0071 +0.0000 +0.0100 +0.0000 +0.0100"
    assert re.search(rf"^{ACCURACY} +{cells}$", result.output, re.M), result.output
    assert LOG_LOSS not in result.output
    assert len(experiments()) == 2
    kept = (project / SPREAD_FILE).read_bytes()
    assert json.loads(kept)["scores"] == {
        ACCURACY: {
            "n": 2,
            "mean": 0.005,
            "sd": pytest.approx(0.00707, abs=1e-5),
            "values": [0, 0.01],
        }
    }
    assert spread_note("HEAD", PARAMS | {"train_head": {"seed": 7}}, kept) == [
        "HEAD, mean over seeds (sd; seeds.json): valid TTA accuracy 0.0050 (0.0071) of 2."
    ]


def test_a_setting_that_dvc_refuses_leaves_nothing_queued(project: Path) -> None:
    commit()
    result = headstart("seeds", "2", "-S", "resize.qualiti=20")
    assert result.exit_code == 1 and "resize.qualiti" in result.output, result.output
    assert ExperimentQueue(project).status() == QueueStatus({}, 0) and experiments() == []


class FakeQueue(ExperimentQueue):
    """Runs nothing; refuses seeds from 1 on, or gets Ctrl-C while it queues seed 1, where told so."""

    queued: list[str]
    refuses = interrupted = unreadable = False
    running: tuple[str, ...] = ()

    def add(self, name: str, settings: Any) -> None:
        if self.refuses and not name.startswith("seed-0"):
            raise QueueError("dvc is out of order")
        self.queued.append(name)
        self.settings = list(settings)
        if self.interrupted and name.startswith("seed-1"):
            raise KeyboardInterrupt

    def status(self) -> QueueStatus:
        if self.unreadable:
            raise QueueError("not readable")
        states = dict.fromkeys(self.queued, "Queued")
        runs = {name: "Running" for name in self.queued if name.startswith(self.running)}
        return QueueStatus(states | runs, 0)

    def remove(self, names: Any) -> None:
        for name in names:
            self.queued.remove(name)

    def start(self, n_jobs: int) -> None:
        pass

    def wait(self, names: Any, n_jobs: int, tell: Any) -> dict[str, bool]:
        raise KeyboardInterrupt


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeQueue:
    fake = FakeQueue(tmp_path)
    fake.queued = []
    monkeypatch.chdir(tmp_path)
    YAML().dump(PARAMS, tmp_path / "params.yaml")
    monkeypatch.setattr("headstart.commands.experiments.ExperimentQueue", lambda root: fake)
    return fake


def test_ctrl_c_leaves_the_queue_and_says_how_to_go_on(queue: FakeQueue) -> None:
    result = headstart("seeds", "3")
    assert result.exit_code == 130
    assert len(queue.queued) == 3
    assert "`dvc queue status`" in result.output and "`dvc exp show`" in result.output


def test_seeds_set_all_three_and_what_is_asked(queue: FakeQueue) -> None:
    headstart("seeds", "2", "-S", "resize.quality=20", "-S", "dataset.source=/my folder/x")
    assert queue.settings == [
        *("resize.quality=20", "dataset.source=/my folder/x"),
        *(f"{section}.seed=1" for section in SEED_SECTIONS),
    ]


def test_names_of_a_second_call_are_others(queue: FakeQueue) -> None:
    for _ in range(2):
        headstart("seeds", "2")
    assert len(set(queue.queued)) == 4


def test_where_dvc_refuses_one_none_stays_queued(queue: FakeQueue) -> None:
    queue.refuses = True
    result = headstart("seeds", "2")
    assert result.exit_code == 1 and "dvc is out of order" in result.output
    assert queue.queued == []


def test_ctrl_c_while_they_are_queued_takes_them_back(queue: FakeQueue) -> None:
    """The one that was being queued too."""
    queue.interrupted = True
    result = headstart("seeds", "3")
    assert result.exit_code == 130 and queue.queued == []
    assert "DVC's queue is unchanged" not in result.output
    assert re.search(
        r"^Removed from the queue again: seed-0-\w+, seed-1-\w+\.$", result.output, re.M
    )
    assert "may still hold" not in result.output


def test_what_cannot_be_taken_back_is_named(queue: FakeQueue) -> None:
    queue.interrupted, queue.running = True, ("seed-0",)
    result = headstart("seeds", "3")
    [left] = queue.queued
    assert left.startswith("seed-0") and f"may still hold {left}: `dvc queue" in result.output
    queue.unreadable = True
    result = headstart("seeds", "3")
    assert result.exit_code == 130
    assert f"may still hold {', '.join(queue.queued[1:])}: `dvc queue status`" in result.output


@pytest.mark.parametrize("split", ["given", None])
def test_folds_need_a_split_that_is_drawn(
    queue: FakeQueue, tmp_path: Path, split: str | None
) -> None:
    YAML().dump({"index_images": {"split": split}}, tmp_path / "params.yaml")
    result = headstart("folds", "5")
    assert result.exit_code == 1 and queue.queued == []
    assert f"index_images.split is {split!r}" in result.output and "stratified" in result.output
    assert headstart("folds", "2", "-S", "index_images.split=stratified").exit_code == 130


def test_folds_of_a_setting_that_gives_the_split(queue: FakeQueue) -> None:
    result = headstart("folds", "5", "-S", "index_images.split=given")
    assert result.exit_code == 1 and "index_images.split is 'given'" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["folds", "5", "-S", "index_images.fold=1"], "-S index_images.fold cannot be set"),
        (["seeds", "3", "-S", "train_head.seed=1"], "-S train_head.seed cannot be set"),
        (["seeds", "3", "-S", "train_head.lr"], "'train_head.lr' must be key=value, such as"),
        (["seeds", "3", "-S", "train_head.lr=0.1,0.2"], "stands for several values"),
        (["seeds", "3", "-S", "phases[0].lr=1"], "DVC cannot read -S"),
        (["seeds", "3", "--metric", "accuracy"], "'accuracy' must be a stage and a dotted key"),
        (["seeds", "3", "--csv", "no/such/folder/x.csv"], "the folder of no/such/folder/x.csv"),
        (["seeds", "1"], "1 is not in the range x>=2"),
    ],
)
def test_what_would_fail_later_is_refused_first(
    queue: FakeQueue, arguments: list[str], sentence: str
) -> None:
    result = headstart(*arguments)
    assert result.exit_code in (1, 2) and queue.queued == []
    assert sentence in " ".join(result.output.split())


def test_settings_are_read_as_dvc_reads_them() -> None:
    settings = ["head.dropout=[0.1,0.2]", "params.yaml:a.b=1e-3", "other.yaml:a=x", "a.c='x,y'"]
    assert parse_settings(settings) == {
        "head.dropout": [0.1, 0.2],
        "a.b": 0.001,
        "other.yaml:a": "x",
        "a.c": "x,y",
    }
    with pytest.raises(SettingsError, match="must be key=value"):
        parse_settings(["~train_head"])


def test_a_metric_that_no_experiment_has_is_named_beside_those_that_there_are() -> None:
    results = {"a": {"s.x": 1.0}, "b": {"s.y": 1.0}}
    assert problems_of(results, ["s.x", "s.y"], all_wanted=True) == []
    assert problems_of(results, ["s.x", "s.z"], all_wanted=False) == []
    [problem] = problems_of(results, ["s.x", "s.z"], all_wanted=True)
    assert problem == "No experiment has s.z; their metrics files have: s.x, s.y."
    [problem] = problems_of({"a": {}}, ["s.z"], all_wanted=False)
    assert problem == "No experiment has s.z; their metrics files have: no number."
    [problem] = problems_of({"a": None}, ["s.z"], all_wanted=True)
    assert problem == "1 of 1 experiments failed: a."


def test_waiting_outlives_a_look_that_fails_and_starts_workers_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, ended = QueueStatus({"a": "Queued"}, 0), QueueStatus({"a": "Success"}, 1)
    script: list[QueueStatus | None] = [None, *[waits] * N_MISSES, None, ended]
    started: list[int] = []
    told: list[str] = []

    def status(_: ExperimentQueue) -> QueueStatus:
        seen = script.pop(0)
        if seen is None:
            raise QueueError("one ended meanwhile")
        return seen

    monkeypatch.setattr("headstart.commands.experiment_queue.POLL_S", (0.0, 0.0))
    monkeypatch.setattr(ExperimentQueue, "status", status)
    monkeypatch.setattr(ExperimentQueue, "start", lambda _, n_jobs: started.append(n_jobs))

    def tell(watch: Watch) -> None:
        told.append(str(watch))

    assert ExperimentQueue(tmp_path).wait(["a"], 3, tell) == {"a": True}
    assert started == [3]
    assert told[-1] == "1 of 1 experiments ended, 0 running"
    script += [None] * N_MISSES
    with pytest.raises(QueueError, match="one ended meanwhile"):
        ExperimentQueue(tmp_path).wait(["a"], 3, tell)
    script += [waits] * 4 * N_MISSES
    with pytest.raises(QueueError, match="No worker of DVC's queue stays alive"):
        ExperimentQueue(tmp_path).wait(["a"], 3, tell)
    assert started == [3] * 4


def test_what_waits_in_the_queue_is_read_from_dvc(project: Path) -> None:
    commit()
    queue = ExperimentQueue(project)
    for name in ("mine", "yours"):
        queue.add(name, ["resize.quality=20"])
    assert queue.status() == QueueStatus({"mine": "Queued", "yours": "Queued"}, 0)
    queue.remove(["mine"])
    assert queue.status() == QueueStatus({"yours": "Queued"}, 0)


def test_a_queue_that_dvc_cannot_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="is not readable: you are not inside of a DVC repository"):
        ExperimentQueue(tmp_path).status()


def test_a_worker_too_busy_to_answer_dvc_is_no_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ExperimentQueue, "_states", lambda _: {"a": "Running"})
    queue, records = ExperimentQueue(tmp_path), tmp_path / ".dvc/tmp/exps/celery"
    records.mkdir(parents=True)
    (records / "half-written.json").write_text("{")
    assert queue.status() == QueueStatus({"a": "Running"}, 0)
    (records / "dvc-exp-worker-2.json").write_text(json.dumps({"pid": os.getpid()}))  # given anew
    wait = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen([*wait, "exp", "queue-worker", "dvc-exp-worker-1"]) as worker:
        (records / "dvc-exp-worker-1.json").write_text(json.dumps({"pid": worker.pid}))
        assert queue.status() == QueueStatus({"a": "Running"}, 1)
        worker.kill()
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table
        assert queue.status() == QueueStatus({"a": "Running"}, 0)
    assert queue.status() == QueueStatus({"a": "Running"}, 0)


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where a shell started the tests by `&`, which has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_waits_for_the_dvc_that_holds_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, done = tmp_path / "python", tmp_path / "done"
    script.write_text(f"#!/bin/sh\nsleep 0.3\nkill -INT $PPID\nsleep 0.3\necho x > '{done}'\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(KeyboardInterrupt):
        ExperimentQueue(tmp_path).start(1)
    assert done.exists()


def test_an_experiment_without_a_commit_is_an_error(project: Path) -> None:
    run("git", "commit", "-q", "--allow-empty", "-m", "x")
    with pytest.raises(QueueError, match="git has no commit of it"):
        ExperimentQueue(project).metrics("seed-0-abcdef", ["tta_evaluate"])


def test_metrics_are_read_from_the_commit_and_not_from_the_workspace(project: Path) -> None:
    file = project / "metrics/tta_evaluate.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"valid": {"n": 3, "kind": "x"}}))
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "x")
    run("git", "update-ref", "refs/exps/ab/cd/seed-0-abcdef", "HEAD")
    file.write_text("{}")
    found = ExperimentQueue(project).metrics("seed-0-abcdef", ["tta_evaluate", "resize"])
    assert found == {"tta_evaluate.valid.n": 3.0}
