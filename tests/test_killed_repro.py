"""`dvc repro` that is killed with all its processes goes on, and ends with the same bytes.

DVC runs unfreeze-finetune and predict-views of a small network, as dvc.yaml has them; what they read
lies there already.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from headstart.commands.half_written import half_written
from tests.contract import read_stages
from tests.test_killed import write_inputs, write_params
from tests.whole_project import outer_environment

pytestmark = pytest.mark.end_to_end

STAGES = ("unfreeze-finetune", "predict-views")
INPUTS = {
    "resized": "2_resized",
    "labels.parquet": "1_index/labels.parquet",
    "backbone.safetensors": "0_source/backbone.safetensors",
    "head.safetensors": "4_checkpoints/head.safetensors",
    "suggestion.json": "6_reports/find_lr_finetune.json",
}
SAYS_WHEN = "data/7_runs"  # no function of the inputs
N_KILLS = 100


class TwoStages:
    """A DVC project of the stages that can take hours."""

    def __init__(self, root: Path, repo_root: Path, cycles: int = 3) -> None:
        self.root = root
        self._outs = {out for of in read_stages(repo_root) if of.name in STAGES for out in of.outs}
        self._environment = outer_environment() | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(root / "site"),
            "DVC_NO_ANALYTICS": "1",
            "HEADSTART_THREADS": "1",
        }
        skipped = shutil.ignore_patterns("__pycache__")
        for folder in ("src", "stages"):
            shutil.copytree(repo_root / folder, root / folder, ignore=skipped)
        (root / "src/mlflow.py").write_text('raise ImportError("it takes seconds to import")\n')
        (root / "inputs").mkdir()
        write_inputs(root / "inputs")
        for name, place in INPUTS.items():
            path = root / "data" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            (root / "inputs" / name).rename(path)
        shutil.copy(
            root / "data/4_checkpoints/head.safetensors",
            root / "data/4_checkpoints/augmented.safetensors",
        )
        write_params(repo_root / "params.yaml", root / "params.yaml", cycles)
        yaml = YAML()
        pipeline = yaml.load(repo_root / "dvc.yaml")
        for name in set(pipeline["stages"]) - {*STAGES}:
            del pipeline["stages"][name]
        yaml.dump({"stages": pipeline["stages"]}, root / "dvc.yaml")
        self.dvc("init", "-q", "--no-scm")
        shutil.copy(repo_root / ".dvc/config", root / "config")
        self.dvc("config", "cache.type", "hardlink,symlink")

    def dvc(self, *words: str) -> None:
        subprocess.run(["dvc", *words], cwd=self.root, env=self._environment, check=True)

    def start(self) -> subprocess.Popen[str]:
        """`dvc repro` as the leader of a group of processes."""
        return subprocess.Popen(
            ["dvc", "repro"], cwd=self.root, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[str]) -> tuple[str, dict[str, bytes]]:
        """Let it end; return what it said and the bytes of all results."""
        said, _ = process.communicate()
        assert process.returncode == 0, said
        assert not self.states(), "what was kept is removed when the stage ends"
        paths = [self.root / out for out in self._outs if not out.startswith(SAYS_WHEN)]
        files = [
            f for path in paths for f in ([path] if path.is_file() else sorted(path.rglob("*")))
        ]
        assert not list(self.root.glob("data/**/*.partial*"))
        return said, {str(file.relative_to(self.root)): file.read_bytes() for file in files}

    def mend(self) -> bool:
        """Do what `headstart verify` advises where DVC was killed amid a write of its own files."""
        if not half_written(self.root):
            return False
        code = "from headstart.commands.cli import main; main()"
        command = [sys.executable, "-c", code, "verify", "--repair"]
        environment = self._environment | {"PYTHONPATH": "src"}
        subprocess.run(command, cwd=self.root, env=environment, check=True)
        return True

    def forget(self) -> None:
        """Remove the results and all that DVC and the stages know of them."""
        for name in (*self._outs, "dvc.lock", ".dvc/cache/runs", ".headstart"):
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def states(self) -> list[Path]:
        return list(self.root.glob(".headstart/work/states/*/*.state"))

    def kept_views(self) -> list[Path]:
        """Files with rows that predict-views has kept."""
        return [f for f in self.root.glob(".headstart/work/**/records.bin") if f.stat().st_size]


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to `dvc repro` and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def kill_when(process: subprocess.Popen[str], due: Callable[[], object]) -> None:
    while not due():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    kill(process)


def test_a_killed_repro_goes_on(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    project = TwoStages(tmp_path, repo_root)
    kill_when(project.start(), project.states)
    kill_when(project.start(), project.kept_views)
    said, outs = project.end(project.start())
    assert "Stage 'unfreeze-finetune' didn't change" in said
    project.forget()
    assert outs == project.end(project.start())[1]
    figures("2 kills of dvc repro with all its processes, the same bytes")


@pytest.mark.long
def test_a_hundred_kills_of_repro_at_random_moments(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    """About 20 minutes on 2 cores."""
    project = TwoStages(tmp_path, repo_root, cycles=4)
    began = time.monotonic()
    _, undisturbed = project.end(project.start())
    longest_s = time.monotonic() - began
    project.forget()
    draw, n_kills, n_ended, n_went_on, n_mended = random.Random(0), 0, 0, 0, 0
    while n_kills < N_KILLS or project.states():
        n_went_on += bool(project.states() or project.kept_views())
        process = project.start()
        try:
            process.wait(draw.uniform(0, longest_s) if n_kills < N_KILLS else None)
        except subprocess.TimeoutExpired:
            kill(process)
            n_kills += 1
            n_mended += project.mend()
            continue
        n_ended += 1
        assert project.end(process)[1] == undisturbed, f"after {n_kills} kills"
        project.forget()
    assert n_went_on and n_ended
    figures(
        f"{n_kills} kills of dvc repro at random moments, {n_went_on} runs went on, "
        f"all {n_ended} that ended with the same bytes; files of DVC's own half written, "
        f"and removed by headstart verify --repair: {n_mended}"
    )
