"""What DVC had removed before a stage that fails is back, as dvc.lock has it."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from headstart.project.errors import HeadstartError
from headstart.project.located import AbsentError
from headstart.terminal.plain_command import PlainCommand

OUTS = {"net": b"weights" * 200_000, "table.csv": b"a,b\n", "metrics/train.json": b"{}\n"}
FOLDER = {"b/one": b"1", "a": b"2"}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a colleague has it after `git clone` and `dvc pull`, when DVC has removed the outs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    listed = [{"md5": md5(data), "relpath": name} for name, data in sorted(FOLDER.items())]
    of_folder = json.dumps(listed).encode()
    for data in (OUTS["net"], OUTS["table.csv"], *FOLDER.values()):
        keep(md5(data), data)
    keep(f"{md5(of_folder)}.dir", of_folder)
    digests = {name: md5(data) for name, data in OUTS.items()}
    digests["features"] = f"{md5(of_folder)}.dir"
    outs = [{"path": name, "md5": digest} for name, digest in digests.items()]
    stage = {"outs": outs, "params": {"params.yaml": {"train": {"lr": 0.1}}}}
    Path("dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"train": stage}}))
    Path("params.yaml").write_text("train: {lr: 0.1}\n")
    Path("metrics").mkdir()
    Path("metrics/train.json").write_bytes(OUTS["metrics/train.json"])
    for words in (["init", "-q"], ["add", "metrics"], ["commit", "-q", "-m", "trained"]):
        of = ["-c", "user.name=someone", "-c", "user.email=s@example.org"]
        subprocess.run(["git", *of, *words], check=True)
    shutil.rmtree("metrics")
    return tmp_path


def keep(digest: str, content: bytes) -> None:
    """Put an object into DVC's cache."""
    place = Path(".dvc/cache/files/md5", digest[:2], digest[2:])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def found() -> dict[str, bytes]:
    """The results in the workspace."""
    files = [file for file in Path().rglob("*") if file.is_file()]
    names = {file.as_posix(): file for file in files if not file.parts[0].startswith(".")}
    return {n: f.read_bytes() for n, f in names.items() if n not in ("dvc.lock", "params.yaml")}


def fail(error: BaseException, *, written: str = "") -> Result:
    """Run a stage that writes an out, perhaps, and then raises."""

    @click.command(cls=PlainCommand)
    def main() -> None:
        if written:
            Path(written).write_bytes(b"new")
        raise error

    return CliRunner().invoke(main)


WHOLE = OUTS | {f"features/{name}": data for name, data in FOLDER.items()}


@pytest.mark.parametrize("error", [HeadstartError("no"), KeyboardInterrupt(), ValueError("ours")])
def test_all_that_was_removed_is_back(
    project: Path, error: BaseException, figures: Callable[[str], None]
) -> None:
    assert found() == {}
    assert fail(error).exit_code in (1, 130)
    assert found() == WHOLE
    figures(f"{len(WHOLE)} of {len(WHOLE)} files back with the same bytes")


def test_what_the_stage_has_written_itself_stays(project: Path) -> None:
    fail(HeadstartError("no"), written="net")
    assert found() == WHOLE | {"net": b"new"}


def test_nothing_comes_in_part(project: Path) -> None:
    for name in ("a", "net"):
        digest = md5(WHOLE.get(name) or FOLDER[name])
        Path(".dvc/cache/files/md5", digest[:2], digest[2:]).unlink()
    fail(HeadstartError("no"))
    assert set(found()) == {"table.csv", "metrics/train.json"}
    assert not list(project.rglob("*.partial"))


@pytest.mark.parametrize("lock", ["", "stages: [", "stages: {other: {}}", "stages: {train: 3}"])
def test_without_an_earlier_result_only_the_error_is_told(project: Path, lock: str) -> None:
    Path("dvc.lock").write_text(lock)
    done = fail(HeadstartError("no"))
    assert (done.exit_code, done.stderr, found()) == (1, "Error: no\n", {})


def test_outside_dvc_nothing_is_brought_back(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_STAGE")
    fail(HeadstartError("no"))
    assert found() == {}


def test_an_absent_source_is_no_failure_where_all_is_here(project: Path) -> None:
    done = fail(AbsentError("/pictures is not a folder."))
    assert done.exit_code == 0 and found() == WHOLE
    assert done.output == "train has nothing to read here, and keeps what it made before.\n"


@pytest.mark.parametrize("what", ["params", "outs"])
def test_an_absent_source_is_one_where_anything_differs(project: Path, what: str) -> None:
    if what == "params":
        Path("params.yaml").write_text("train: {lr: 0.2}\n")
    done = fail(AbsentError("/pictures is not a folder."), written="net" if what == "outs" else "")
    assert (done.exit_code, done.stderr) == (1, "Error: /pictures is not a folder.\n")
