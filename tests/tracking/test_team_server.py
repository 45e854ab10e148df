"""A team's whole server: Postgres, an S3 store for files, users with passwords; and DVC's queues."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from headstart.commands.revision import Revision
from headstart.tracking.records import RunRecord, parse_run
from tests.mlflow_server import Server, free_port
from tests.postgres import postgres, program
from tests.repository import environment, run
from tests.saved_networks import save_networks
from tests.server_content import all_runs, check_all_is_told, experiments

PACKAGES = {
    "psycopg": "'psycopg[binary]'",
    "flask_wtf": "flask-wtf",
    "boto3": "boto3",
    "moto": "'moto[server]'",
}
MISSING = [package for module, package in PACKAGES.items() if not find_spec(module)]
ROOT = Path(__file__).parents[2]
USERS = {"ada": "correct horse", "bob": "battery staple"}
ADMIN = ("admin", "not password1234")
N_EACH, N_JOBS = 4, 2
FAILED = "refs/exps/celery/failed"  # DVC's stash of queued experiments that failed
WITHIN_S = 3600.0  # of a machine that eight others keep busy
AUTH = """\
[mlflow]
default_permission = EDIT
database_uri = {database}
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""
DVC_YAML = """\
stages:
  train-head:
    cmd: python train_head.py
    deps: [train_head.py, net.safetensors]
    params: [train_head]
    outs: [model.safetensors, data/7_runs/train_head.json]
    metrics: [metrics/train_head.json: {cache: false}]
  publish-run:
    cmd: python publish_run.py --metrics metrics --run data/7_runs --report metrics/train_head.json
      --model model.safetensors --state state.json
    deps: [metrics, data/7_runs, model.safetensors]
    params: [params.yaml: ]
    outs: [state.json: {cache: false}]
"""
TRAIN = """\
import time
from pathlib import Path
from safetensors import safe_open
from safetensors.numpy import save_file
from headstart.project.files import write_json
from headstart.project.params import read_section
from headstart.project.seals import KEY, UNSEALED, seal
from headstart.project.section import Section
from headstart.tracking.live import stage_run

class TrainHead(Section):
    lr: float

params = read_section("train_head", TrainHead)
with stage_run("train-head", Path("data/7_runs/train_head.json"), {"train_head": params}) as run:
    for step in range(20):  # about as long as a head trains, so that runs are killed on the way
        run.log({"loss": params.lr / (1 + step)}, step)
        time.sleep(0.2)
    with safe_open("net.safetensors", "np") as net:
        tensors = {name: net.get_tensor(name) for name in net.keys()}
        about = net.metadata() | {KEY: UNSEALED}
    tensors["head.6.bias"] = tensors["head.6.bias"] + params.lr
    save_file(tensors, "model.safetensors", about)
    seal(Path("model.safetensors"))
    write_json(Path("metrics/train_head.json"), {"loss": params.lr / 20})
    run.artifact(Path("metrics/train_head.json"))
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"pip install {' '.join(MISSING)}"),
    pytest.mark.skipif(program("postgres") is None, reason="Postgres is not installed"),
]


@contextmanager
def s3_store() -> Iterator[dict[str, str]]:
    """Run an S3 server with the bucket `runs`; yield the settings of its clients."""
    port = str(free_port())
    settings = {
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", port],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        client = bucket_client(settings)
        until = time.monotonic() + 120
        while True:
            try:
                client.create_bucket(Bucket="runs")
                break
            except Exception:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.3)
        yield settings
    finally:
        process.terminate()
        process.wait()


def bucket_client(settings: dict[str, str]) -> Any:
    return import_module("boto3").client(
        "s3", endpoint_url=settings["MLFLOW_S3_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="key", aws_secret_access_key="secret",
    )  # fmt: skip


@contextmanager
def team_server(folder: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """MLflow's server with users on Postgres and S3; and the settings of the latter's clients."""
    with postgres() as database, s3_store() as s3:
        auth = folder / "auth.ini"
        user, password = ADMIN
        auth.write_text(AUTH.format(database=database, user=user, password=password))
        settings = {"MLFLOW_AUTH_CONFIG_PATH": str(auth), "MLFLOW_FLASK_SERVER_SECRET_KEY": "key"}
        options = ("--app-name", "basic-auth")
        with Server(folder, database, "s3://runs", *options, environment=s3 | settings) as server:
            for name, secret in USERS.items():
                said = requests.post(
                    f"{server.address}/api/2.0/mlflow/users/create",
                    json={"username": name, "password": secret}, auth=ADMIN, timeout=60,
                )  # fmt: skip
                assert said.ok, said.text
            yield server, s3


class Member:
    """Somebody of the team, with a clone of the project and a queue."""

    def __init__(self, origin: Path, name: str, address: str) -> None:
        self.root, self._name = origin.parent / name, name
        self._environment = environment(origin.parent) | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT / "src"),
            "DVC_SITE_CACHE_DIR": str(origin.parent / f"site of {name}"),
            "MLFLOW_TRACKING_URI": address,
            "MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": USERS[name],
        }  # fmt: skip
        run(origin.parent, "git", "clone", "--quiet", str(origin), name)
        # DVC's cache is the origin's, as a team shares one
        self.said = ""
        self.dvc("cache", "dir", "--local", str(origin / ".dvc/cache"))
        self.names = [f"{name}-{i + 1}" for i in range(N_EACH)]

    def call(self, *command: str) -> str:
        # a file, because a worker of DVC's queue would keep a pipe open until the queue is empty
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [sys.executable, *command], cwd=self.root, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
            )  # fmt: skip
            output.seek(0)
            said = output.read()
        self.said += said
        assert done.returncode == 0, said
        return said

    def dvc(self, *words: str) -> str:
        return self.call("-m", "dvc", *words)

    def queue(self, first: int) -> None:
        rates = ",".join(f"0.{first + i}" for i in range(N_EACH))  # DVC numbers the names from 1
        self.dvc("exp", "run", "--queue", "-n", self._name, "-S", f"train_head.lr={rates}")

    def start(self) -> None:
        self.dvc("queue", "start", "-j", str(N_JOBS))

    def done(self) -> list[str]:
        """The experiments that have ended, by their refs: `dvc queue status` takes seconds."""
        refs = run(self.root, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
        assert FAILED not in refs, self.dvc("queue", "status")
        return [name for name in self.names if any(ref.endswith(f"/{name}") for ref in refs)]

    def sync(self, name: str) -> str:
        code = "from headstart.commands.cli import main; main()"
        return self.call("-c", code, "sync", name)

    def told(self, name: str) -> tuple[str, RunRecord]:
        """The state of an experiment, and the record of its stage's run."""
        revision, path = Revision(self.root, name), "data/7_runs/train_head.json"
        state, record = revision.read("state.json"), revision.read(path)
        assert state is not None and record is not None
        return json.loads(state)["state"], parse_run(record.decode(), path)


def make_origin(folder: Path) -> Path:
    """A project of two stages, one that logs for some seconds and the real publish-run."""
    origin = folder / "origin"
    (origin / "metrics").mkdir(parents=True)
    (origin / "metrics/.gitignore").write_text("")
    save_networks(folder)
    shutil.copy(folder / "net.safetensors", origin)
    shutil.copy(ROOT / "stages/publish_run.py", origin)
    (origin / "train_head.py").write_text(TRAIN)
    (origin / "dvc.yaml").write_text(DVC_YAML)
    (origin / "params.yaml").write_text("train_head: {lr: 1.0}\n")
    run(origin, "git", "init", "--quiet", "-b", "main")
    run(origin, "dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvcignore", origin)  # publish-run does not read DVC's .gitignore
    run(origin, "git", "add", "-A")
    run(origin, "git", "commit", "--quiet", "--message", "a project")
    return origin


def test_a_restart_of_the_server_loses_none_of_eight_queued_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    """About 5 minutes on two idle cores."""
    origin = make_origin(tmp_path)
    with team_server(tmp_path) as (server, s3):
        assert (
            requests.get(f"{server.address}/api/2.0/mlflow/users/get", timeout=60).status_code
            == 401
        )
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN[1])
        client = MlflowClient(server.address)
        team = [Member(origin, name, server.address) for name in USERS]

        def n_done() -> int:
            return sum(len(member.done()) for member in team)

        for number, member in enumerate(team):
            member.queue(1 + N_EACH * number)
        for member in team:
            member.start()
        wait_for(lambda: len(all_runs(client)) > 3)
        server.kill()
        n_before = n_done()
        wait_for(lambda: n_done() > n_before or n_done() == len(team) * N_EACH)
        server.start()
        wait_for(lambda: n_done() == len(team) * N_EACH)
        said = [member.sync(name) for member in team for name in member.names]
        n_late = sum("Added the row" in each for each in said)
        told = [member.told(name) for member in team for name in member.names]
        states = Counter(state for state, _ in told)
        records = {record.key: len(record.points) for _, record in told}
        check_all_is_told(client, states, records)
        models = client.search_logged_models(experiments(client))
        assert len(models) == len(told) and {model.status.value for model in models} == {"READY"}
        kept = bucket_client(s3).list_objects_v2(Bucket="runs")["KeyCount"]
        assert kept >= 3 * len(told)  # files of runs, rows and models
        assert not [member for member in team for secret in USERS.values() if secret in member.said]
    assert 0 < n_late < len(told)
    figures(
        f"2 clones, {len(told)} queued experiments, 1 restart of a server with Postgres, S3 and "
        f"passwords: {len(told)} rows, {n_late} of them told later; {kept} files in S3"
    )


def wait_for(ready: Callable[[], object]) -> None:
    until = time.monotonic() + WITHIN_S
    while not ready():
        assert time.monotonic() < until
        time.sleep(1)
