"""A full disk, a missing permission, an interruption: one sentence, and nothing partial is left."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from headstart.project.beside import written_beside
from headstart.terminal.plain_command import PlainCommand
from headstart.terminal.system_faults import sentence_for
from tests.scenes import encoded, scene

STAGE = """
import signal, sys, time
from pathlib import Path
import click
from headstart.project.beside import written_beside
from headstart.terminal.plain_command import PlainCommand

@click.command(cls=PlainCommand)
def main():
    # a shell lets what it starts in the background ignore SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with written_beside(Path("out")) as partial:
        partial.write_text("half")
        print("writing", flush=True)
        time.sleep(60)

main()
"""
FULL = "mount -t tmpfs -o size={size} tmpfs data && {then}"
N_PICTURES = 300
APART = ("unshare", "--map-root-user", "--mount", "sh", "-c")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EROFS, "Make its file system writable"),
        (errno.EACCES, "Give yourself the permission"),
        (errno.EIO, "does not answer"),
        (errno.ENOENT, "bring any other file back"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(number: int, remedy: str) -> None:
    @click.command(cls=PlainCommand)
    def stage() -> None:
        raise OSError(number, os.strerror(number), "data/a picture.jpg")

    result = CliRunner().invoke(stage)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: data/a picture.jpg: ")
    assert remedy in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "fault", [OSError("odd"), FileNotFoundError(errno.ENOENT, "no file"), OSError(errno.EPIPE, "x")]
)
def test_any_other_fault_is_ours_and_keeps_its_traceback(fault: OSError) -> None:
    assert sentence_for(fault) is None


def test_a_write_that_fails_names_its_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OSError) as refused, written_beside(out) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert refused.value.filename == str(out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_nothing_partial(
    tmp_path: Path, repo_root: Path, number: signal.Signals, status: int
) -> None:
    environment = os.environ | {"PYTHONPATH": str(repo_root / "src")}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", STAGE], cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe
    ) as stage:
        assert stage.stdout and stage.stdout.readline() == b"writing\n"
        stage.send_signal(number)
        _, said = stage.communicate(timeout=30)
    assert (stage.returncode, said.decode()) == (
        status,
        f"Interrupted by {number.name}. Run the command again to go on; what is finished is kept.\n",
    )
    assert list(tmp_path.iterdir()) == []


def can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run([*APART, "mount -t tmpfs tmpfs /mnt"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not can_mount(), reason="needs a user namespace in which to mount")
@pytest.mark.parametrize(
    ("size", "said"), [("8k", "no space left on device"), ("8k,ro", "read-only file system")]
)
def test_a_stage_on_such_a_disk_ends_in_a_sentence_and_runs_later(
    tmp_path: Path, repo_root: Path, size: str, said: str, figures: Callable[[str], None]
) -> None:
    for folder in ("pictures/ant", "data"):
        (tmp_path / folder).mkdir(parents=True)
    for i in range(N_PICTURES):
        (tmp_path / f"pictures/ant/{i}.jpg").write_bytes(encoded(scene(i, (8, 6))))
    shutil.copytree(repo_root / "sources", tmp_path / "sources")
    params = (repo_root / "params.yaml").read_text()
    params = params.replace("sources/textile.yaml", str(tmp_path / "pictures"))
    (tmp_path / "params.yaml").write_text(params)
    script = repo_root / "stages/fetch_images.py"
    outs = "--images data/images --metrics metrics/a.json --run runs/a.json"
    command = f"{sys.executable} {script} {outs}"
    environment = os.environ | {"PYTHONPATH": str(repo_root / "src"), "DVC_ROOT": str(tmp_path)}

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*APART, line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    refused = run(FULL.format(size=size, then=f"{{ {command}; s=$?; ls -A data; exit $s; }}"))
    assert refused.returncode == 1
    [line] = [line for line in refused.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line and "data/images" in line and "Traceback" not in refused.stderr
    assert refused.stdout == ""  # nothing is left in data
    assert run(command).returncode == 0
    assert f'"n_files": {N_PICTURES}' in (tmp_path / "metrics/a.json").read_text()
    figures("one sentence with the file and the remedy, no partial file, the next run right")
