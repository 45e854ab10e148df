"""The password of a server that works comes into no output, file, tag or model."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from headstart.commands.cli import main
from headstart.tracking.tracker import publish
from tests.saved_networks import save_networks
from tests.tracked import all_runs, row, run_stage


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Iterator[str]:
    """MLflow's own server, in this process; its address, with a user and a password."""
    content = tmp_path / "server"
    content.mkdir()
    (content / "mlflow.db").write_bytes(empty_store.read_bytes())
    for name, value in {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{content}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": f"{content}/files",
    }.items():
        monkeypatch.setenv(name, value)
    # The server sets these for its whole process, and later tests share it.
    for variable in (
        "mlflow.tracking._tracking_service.utils._tracking_uri",
        "mlflow.tracking._model_registry.utils._registry_uri",
        "mlflow.server.handlers._tracking_store",
        "mlflow.server.handlers._model_registry_store",
    ):
        monkeypatch.setattr(variable, None)
    from mlflow.server import app
    from werkzeug.serving import make_server

    web = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield f"http://ada:pa55word@127.0.0.1:{web.server_port}"
    web.shutdown()
    thread.join()
    web.server_close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("tracked_project", "told_in_process")
def test_no_output_and_no_file_has_the_password(
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    figures: Callable[[str], None],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of a server")
    save_networks(Path.cwd())
    record = run_stage()
    assert publish(row(a=1.0), [record], [Path("curve.csv")], Path("net.safetensors")) is not None
    assert {run.info.status for run in all_runs()} == {"FINISHED"} and record.run_id
    failed = CliRunner().invoke(main, ["sync"])
    out, err = capfd.readouterr()
    assert "pa55word" not in out + err + failed.output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"run.json", "mlflow.db", "MLmodel"} <= {path.name for path in files}
    assert [path for path in files if b"pa55word" in path.read_bytes()] == []
    figures(f"{len(files)} files and all output of a stage and a row, none with the password")
