"""A project whose commands and stages run in the process of the test, and what they say."""

import runpy
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from headstart.commands.cli import main
from tests.bad_inputs.readers import encoded, picture

ROOT = Path(__file__).parents[2]
LIMIT_S = 60  # by the clock, as other tests run beside these; 10 s of work

IMAGES = Path("data/0_source/images")
INDEX = Path("data/1_index")


class QuietTeller:
    """As `Teller`, but it tells nobody."""

    def send(self, kind: str, content: Any) -> None:
        """Forget it."""

    def answer(self, deadline_s: float) -> str | None:
        """No run id."""
        return None


def headstart(*arguments: object) -> Result:
    """A command of `headstart`."""
    with _bounded():
        return CliRunner().invoke(main, list(map(str, arguments)))


def stage(name: str, **paths: Path) -> Result:
    """A stage's script with its options; the record of its run and its metrics are added."""
    paths |= {"run": Path("data/run.json"), "metrics": Path("data/metrics.json")}
    arguments = [
        x for key, path in paths.items() for x in (f"--{key.replace('_', '-')}", str(path))
    ]
    script = runpy.run_path(str(ROOT / f"stages/{name}.py"))["main"]
    with _bounded():
        return CliRunner().invoke(script, arguments)


def fetch_images() -> Result:
    """The stage fetch-images."""
    return stage("fetch_images", images=IMAGES)


def fetch_weights() -> Result:
    """The stage fetch-weights."""
    return stage("fetch_weights", backbone=Path("data/0_source/backbone.safetensors"))


def index_images() -> Result:
    """The stage index-images."""
    return stage(
        "index_images", images=IMAGES, pictures=INDEX / "pictures.parquet",
        labels=INDEX / "labels.parquet", test_labels=INDEX / "test_labels.parquet",
        train_ids=INDEX / "train_ids.parquet", problems=INDEX / "problems.csv",
        near=INDEX / "near_duplicates.csv",
    )  # fmt: skip


def edit(**values: Any) -> None:
    """Set keys of params.yaml; section and key are separated by two underscores."""
    yaml, file = YAML(), Path("params.yaml")
    params = yaml.load(file)
    for key, value in values.items():
        section, _, name = key.partition("__")
        params[section][name] = value
    yaml.dump(params, file)


def fill(folder: Path, n: int = 3, first: int = 0) -> Path:
    """A folder with two classes of pictures, unlike those of another `first`."""
    for k, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            data = encoded(picture("RGB", first + 10 * k + i, (12, 8)), "PNG")
            (folder / name / f"{i}.png").write_bytes(data)
    return folder


def sentence(result: Result, *words: str) -> str:
    """The one sentence with which a command ended; it holds these words."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1, result.output
    said = result.output.strip()
    assert said.count("Error: ") == 1 and "Traceback" not in said, said
    said = said[said.index("Error: ") + len("Error: ") :]
    assert len(said) < 1500 and "weights_only" not in said, said
    for word in words:
        assert word in said, said
    return said


def right(result: Result) -> str:
    """What a command said that ended well."""
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


class StillRunningError(BaseException):
    """It is no Exception: a command turns some of those into its sentence."""


@contextmanager
def _bounded() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise StillRunningError(f"not done after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
