"""Stages that are forks of the warm process give the bytes that plain python gives."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.contract import read_stages
from tests.edited_project import copied, made, results_of, run_without_dvc
from tests.warm.test_run import eventually
from tests.whole_project import Project, assert_row_is_right, runs_of

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere plain python runs"),
]

# Each process says what has started it, and which libraries it has before it imports the first.
PROBE = """
import json, os, sys
with open(f"/proc/{os.getppid()}/cmdline") as parent, open("probed", "a") as probed:
    about = {"started": sys.argv[0], "by": parent.read().split(chr(0))[:2]}
    about["libraries"] = sorted({"torch", "mlflow"} & sys.modules.keys())
    probed.write(json.dumps(about) + chr(10))
"""
TELLER = "-m"
AHEAD = """
from headstart.tracking.start import start
start()
from headstart.commands.warm_ahead import begin_warm_processes
begin_warm_processes()
"""  # as `headstart init` does
SERVER = "src/headstart/warm/server.py"


def probed(project: Project) -> list[dict[str, Any]]:
    """What each process of the project's stages has said, in the order of their starts."""
    return [json.loads(line) for line in (project.root / "probed").read_text().splitlines()]


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Iterator[Project]:
    """A small project that has not run; its servers are its own, and end with the test."""
    root = tmp_path_factory.mktemp("w")  # short: the path of a socket has 107 bytes
    project = made(root, repo_root)
    with (project.root / "src/headstart/__init__.py").open("a") as package:
        package.write(PROBE)
    with (project.root / ".git/info/exclude").open("a") as ignored:
        ignored.write("/probed\n")
    project.commit()
    runtime = root / "run"
    runtime.mkdir(mode=0o700)
    project.environment |= {"XDG_RUNTIME_DIR": str(runtime), "PS1": "$ "}  # as a terminal's shell
    del project.environment["OMP_NUM_THREADS"]  # as a user has it: a thread a core
    yield project
    shutil.rmtree(runtime / "headstart", ignore_errors=True)  # a server without its socket ends

    def is_of_ours(process: psutil.Process) -> bool:
        return any(str(runtime) in word for word in process.info["cmdline"] or [])

    assert eventually(lambda: not [*filter(is_of_ours, psutil.process_iter(["cmdline"]))])


def start_servers(project: Project) -> None:
    """Begin them as `headstart init` does; wait until both serve: then their logs are empty."""
    project.run(sys.executable, "-c", AHEAD, environment={"PYTHONPATH": "src"})
    folder = Path(project.environment["XDG_RUNTIME_DIR"], "headstart")

    def serve() -> bool:
        logs = list(folder.glob("*.log"))
        assert "no process is kept" not in "".join(log.read_text() for log in logs)
        return len(logs) == 2 and all(log.stat().st_size == 0 for log in logs)

    assert eventually(serve)


def test_warm_stages_give_the_bytes_of_plain_python(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[[str], None],
) -> None:
    """About 80 s on two idle cores. Plain python runs on one of them, without DVC and MLflow."""
    stages = [stage.name for stage in read_stages(project.root)]
    plain, warm = (copied(project, tmp_path / way, results=False) for way in ("plain", "warm"))
    plain.environment["HEADSTART_WARM"] = "0"
    with plain.without_mlflow(), ThreadPoolExecutor(1) as beside:
        is_done = beside.submit(run_without_dvc, plain, stages)
        start_servers(project)
        warm.repro()
        is_done.result()

    scripts = {f"stages/{stage.replace('-', '_')}.py" for stage in stages}
    assert {each["started"] for each in probed(plain)} == scripts | {TELLER}
    assert not [each for each in probed(plain) if each["libraries"]]
    forks = [(each["started"], each["libraries"]) for each in probed(warm)]
    tellers = [(TELLER, ["mlflow"])] * (len(stages) - 1)  # check-inputs is not told of
    assert sorted(forks) == sorted([*((script, ["torch"]) for script in scripts), *tellers])
    assert all(each["by"][1].endswith(SERVER) for each in probed(warm))

    by_plain, by_warm = (results_of(of, stages) for of in (plain, warm))
    assert by_plain.keys() == by_warm.keys()
    assert [name for name in by_plain if by_plain[name] != by_warm[name]] == []
    [row] = runs_of(warm.root, "headstart.complete", monkeypatch)
    assert_row_is_right(warm, row)
    told = {run.info.run_id for run in runs_of(warm.root, "headstart.stage", monkeypatch)}
    assert told == set(json.loads(row.data.tags["headstart.runs"]).values())
    figures(
        f"{len(stages)} stages and {len(tellers)} processes that tell MLflow of them, all forks: "
        f"{len(by_warm)} files, the same bytes"
    )
