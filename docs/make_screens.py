"""Take the pictures in docs/screens: the report, a comparison, MLflow's table, the demo.

Run: PYTHONPATH=src python docs/make_screens.py PICTURE REV    (in a project whose stages have run)

PICTURE is dropped on the demo; REV is compared with the workspace. Needs Chromium.
"""

import base64
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import requests

from headstart.backbone.device import RuntimeParams, prepare
from headstart.demo.corrections import Corrections
from headstart.demo.server import Demo, application, served
from headstart.demo.similar import TrainPictures
from headstart.use.classifier import Classifier
from headstart.use.results import Project

SCREENS = Path(__file__).with_name("screens")
MODEL, REPORT = Path("data/4_checkpoints/model.safetensors"), Path("data/6_reports/report.html")
PORT = 5055  # of MLflow
VIEW = "#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=scores"


def screen(name: str, address: str, width: int, height: int, wait_ms: int = 5000) -> None:
    """Write docs/screens/NAME.png: the upper left of a page, width x height px."""
    browser = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"]
    command += [f"--window-size={width},{height}", f"--virtual-time-budget={wait_ms}"]
    subprocess.run(
        [*command, f"--screenshot={SCREENS / name}.png", address], check=True, capture_output=True
    )


@contextmanager
def mlflow() -> Iterator[str]:
    """The address of MLflow's pages for as long as the block runs."""
    command = ["mlflow", "ui", "--port", str(PORT), "--backend-store-uri", "sqlite:///mlflow.db"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{PORT}/"
    try:
        while True:
            try:
                requests.get(address, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.5)
        yield address + VIEW
    finally:
        server.terminate()
        server.wait()


def demo(picture: Path, folder: Path) -> str:
    """The address of the demo's page, on which a picture has just been dropped."""
    machine = prepare(RuntimeParams(precision="auto", deterministic=True))
    classifier = Classifier.on(MODEL, machine)
    info = classifier.info
    train = TrainPictures.of(Project("."), info, machine)
    kept = Corrections(Path("corrections"), info.classes, info.task)
    app = application(Demo(classifier, train, kept, folder))
    content = base64.b64encode(picture.read_bytes()).decode("ascii")
    dropped = f"Uint8Array.from(atob('{content}'), c => c.charCodeAt(0))"

    @app.get("/dropped")
    def dropped_page() -> str:
        empty = str(app.view_functions["page"]())
        return empty.replace("</main>", f"<script>look(new File([{dropped}], ''))</script></main>")

    server = served(app, 0)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.port}/dropped"


def main(picture: Path, revision: str) -> None:
    """Take all pictures."""
    SCREENS.mkdir(exist_ok=True)
    screen("report", REPORT.resolve().as_uri(), 1100, 1250)
    with TemporaryDirectory() as folder:
        page = Path(folder) / "comparison.html"
        subprocess.run(["headstart", "compare", revision, "--html", str(page)], check=True)
        screen("compare", page.as_uri(), 1100, 900)
        screen("demo", demo(picture, Path(folder)), 1000, 680, wait_ms=20_000)
    with mlflow() as address:
        screen("mlflow", address, 1900, 560, wait_ms=20_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
