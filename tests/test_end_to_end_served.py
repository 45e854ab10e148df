"""`mlflow models serve` and `mlflow models predict` answer real pictures with the row's model."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
from mlflow import MlflowClient, pyfunc

from headstart import Classifier
from headstart.tracking.store import tracking_uri
from headstart.tracking.tracker import publish
from tests.pages import blocks, read_page
from tests.saved_networks import save_networks
from tests.tracked import row

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("tracked_project")]

WEAVES = "data/textile_images/simulated"
MODEL = ["--model-uri", "models:/headstart@current", "--env-manager", "local"]
START_S = 180.0


@pytest.fixture
def weaves(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Three pictures of the default, and a published model that has an opinion of them."""
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    save_networks(Path.cwd())
    publish(row(), [], model=Path("net.safetensors"))
    folder = Path(str(files("conformal_clip_data"))) / WEAVES
    return [sorted(place.iterdir())[0].read_bytes() for place in sorted(folder.iterdir())]


def request(pictures: Sequence[bytes], **params: int) -> str:
    rows = [[base64.b64encode(one).decode()] for one in pictures]
    return json.dumps({"dataframe_split": {"columns": ["picture"], "data": rows}, "params": params})


def mlflow(*words: str) -> list[str]:
    return [sys.executable, "-m", "mlflow", *words]


def environment() -> dict[str, str]:
    """That of a user who has the packages, but not headstart: it comes with the model."""
    outer = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return outer | {"MLFLOW_TRACKING_URI": tracking_uri(), "MLFLOW_DISABLE_TELEMETRY": "true"}


def check(predictions: list[dict[str, Any]], pictures: list[bytes]) -> None:
    """They are what the classifier says, with two classes listed, and a sentence for the last."""
    *good, broken = predictions
    wanted = Classifier.load("net.safetensors").predict(pictures).to_dict("records")
    for said, right in zip(good, wanted, strict=True):
        assert (said["class"], said["problem"]) == (right["class"], "")
        assert said["probability"] == pytest.approx(right["p_1"], abs=1e-5)
        assert [one["class"] for one in said["top"]] == [right["top_1"], right["top_2"]]
    nothing: dict[str, Any] = {"class": None, "probability": None, "top": []}
    assert broken == nothing | {"problem": "its bytes are no picture that Pillow knows"}


def test_predict_answers_a_file(weaves: list[bytes]) -> None:
    Path("asked.json").write_text(request([*weaves, b"broken"], top_k=2))
    done = subprocess.run(
        mlflow("models", "predict", *MODEL, "--input-path", "asked.json", "--output-path", "said.json"),
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check(json.loads(Path("said.json").read_text())["predictions"], weaves)


def test_serve_answers_over_http(weaves: list[bytes]) -> None:
    with running("ping", "models", "serve", *MODEL) as address:
        answer = asked(address, request([*weaves, b"broken"], top_k=2))
        assert answer.status_code == 200
        check(answer.json()["predictions"], weaves)
        no_base64 = request(weaves[:1]).replace(base64.b64encode(weaves[0]).decode(), "abc")
        refused = asked(address, no_base64)
        assert refused.status_code == 400
        assert "Incorrect padding" in refused.text and "Traceback" not in refused.text


def test_the_python_of_the_page_runs(weaves: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    page = read_page("docs/serving.md")
    Path("weaves").mkdir()
    Path("weaves/local_0490.jpg").write_bytes(weaves[1])
    Path("notes.txt").write_text("no picture\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    names: dict[str, Any] = {}
    over_http, in_python = blocks(page, "python")
    with running("ping", "models", "serve", *MODEL) as address:
        exec(over_http.replace("http://127.0.0.1:5001", address), names)
        records = {"dataframe_records": [{"picture": names["rows"][0][0]}]}
        [same] = asked(address, json.dumps(records)).json()["predictions"]
    check(names["said"], weaves[1:2])
    assert (same["class"], len(same["top"])) == (names["said"][0]["class"], 3)
    exec(in_python, names)
    check(names["table"].to_dict("records"), weaves[1:2])
    [shown] = blocks(page, "json")
    assert [list(one) for one in json.loads(shown)] == [list(one) for one in names["said"]]


def test_a_tracking_server_keeps_and_registers_it(
    weaves: list[bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--backend-store-uri", "sqlite:///server.db", "--artifacts-destination", "kept"]
    with running("health", "server", *store, "--workers", "1") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        for _ in range(2):
            publish(row(), [], model=Path("net.safetensors"))
        assert capsys.readouterr().err == ""
        [version] = MlflowClient().search_model_versions()
        assert str(version.source).startswith("mlflow-artifacts:")
        model = pyfunc.load_model("models:/headstart@current")
        said = model.predict(pd.DataFrame({"picture": [*weaves, b"broken"]}), params={"top_k": 2})
        check(said.to_dict("records"), weaves)


def asked(address: str, body: str) -> requests.Response:
    headers = {"Content-Type": "application/json"}
    return requests.post(f"{address}/invocations", body, headers=headers, timeout=60)


@contextmanager
def running(ready: str, *words: str) -> Iterator[str]:
    """Run a server of MLflow, which answers the path `ready`, at the address until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address, command = f"http://127.0.0.1:{port}", mlflow(*words, "--port", port)
    with (
        Path("server.log").open("w") as log,
        subprocess.Popen(command, env=environment(), stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(f"{address}/{ready}", process)
            yield address
        finally:
            process.terminate()


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    ended = time.monotonic() + START_S
    while time.monotonic() < ended and process.poll() is None:
        try:
            if requests.get(address, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise AssertionError(Path("server.log").read_text())
