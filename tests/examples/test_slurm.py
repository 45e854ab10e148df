"""The scripts of examples/slurm, run by commands that stand in for Slurm's."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.project.params import read_params
from headstart.tracking.state import flatten
from tests.contract import BEGINNING, read_yaml
from tests.repository import environment, run
from tests.torchrun import read_by_torchrun

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "examples/slurm"
SBATCH = """\
#!/bin/bash
# Runs the tasks of an array at once, each as Slurm would: a copy of the script, folder, variables.
set -eu
range=${1#--array=}; shift
script=$(mktemp); cp "$1" "$script"; shift
export SLURM_SUBMIT_DIR=$PWD SLURM_CPUS_PER_TASK=2 SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7
for task in $(seq "${range%-*}" "${range#*-}"); do
  SLURM_ARRAY_TASK_ID=$task bash "$script" "$@" > "slurm-7_$task.out" 2>&1 & tasks="${tasks:-} $!"
done
for task in $tasks; do wait "$task"; done
"""
SRUN = """\
#!/bin/bash
# Runs the command once on each of the job's nodes, at once.
for node in $(seq "$SLURM_JOB_NUM_NODES"); do SLURMD_NODENAME=node$node "$@" & done
wait
"""
SAYS = '#!/bin/bash\necho "$(basename "$0") $*" >> "$SAID"\n'
SCONTROL = '#!/bin/bash\n[ "$1 $2 $3" = "show hostnames node[1-2]" ] && printf "node1\\nnode2\\n"\n'
OPTIONS = {"job-name", "nodes", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "mem", "gres"}
OPTIONS |= {"time", "output"}
STAGE = """\
stages:
  train-head:
    cmd: python train.py
    deps: [train.py]
    params: [train_head]
    metrics: [metrics.json: {cache: false}]
"""
TRAIN = """\
import json, os
from pathlib import Path
from ruamel.yaml import YAML
params = YAML(typ="safe").load(Path("params.yaml"))["train_head"]
Path("metrics.json").write_text(json.dumps(params | {"workers": int(os.environ["HEADSTART_WORKERS"])}))
"""


def put(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("path", sorted(SLURM.glob("*.sbatch")), ids=lambda path: path.name)
def test_bash_reads_it_and_slurm_its_options(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)
    head, _, body = path.read_text().partition("set -euo pipefail")
    options = re.findall(r"^#SBATCH --([a-z-]+)=\S+$", head, re.M)
    known = [
        "job-name",
        "nodes",
        "ntasks-per-node",
        "cpus-per-task",
        "gpus-per-node",
        "mem",
        "gres",
        "time",
        "output",
    ]
    assert options and set(options) <= set(known)
    assert head.count("#SBATCH") == len(options) and "#SBATCH" not in body  # Slurm reads no further
    [usage] = re.findall(rf"^#   sbatch .*{path.relative_to(ROOT)}.*$", head, re.M)
    assert all((ROOT / word).exists() for word in usage.split() if word.startswith("examples/"))


def test_the_experiments_set_values_that_params_yaml_has() -> None:
    lines = [line.split() for line in (SLURM / "experiments.txt").read_text().splitlines()]
    there = flatten(read_params(ROOT / "params.yaml"))
    assert len({name for name, *_ in lines}) == len(lines)
    assert all(setting.partition("=")[0] in there for _, *settings in lines for setting in settings)
    [usage] = re.findall(r"--array=1-(\d+)", (SLURM / "experiments.sbatch").read_text())
    assert int(usage) == len(lines)


def array(folder: Path, tasks: range) -> int:
    """Run tasks of the array in a small project; check their results there; return their number."""
    project, bin_ = folder / "project", folder / "bin"
    project.mkdir()
    put(bin_, "sbatch", SBATCH)
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/activate").write_text(
        f'export PATH="{Path(sys.executable).parent}:$PATH"'
    )
    (project / "dvc.yaml").write_text(STAGE)
    (project / "train.py").write_text(TRAIN)
    shutil.copy(ROOT / "params.yaml", project)
    run(project, "git", "init", "--quiet", "-b", "main")
    run(project, "dvc", "init", "--quiet")
    (project / ".git/info").mkdir(exist_ok=True)
    (project / ".git/info/exclude").write_text("/.venv\n/site\n/slurm-*\n")
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "--quiet", "--message", "a project")
    scratch = folder / "scratch"
    scratch.mkdir()
    called = environment(folder) | {
        "PATH": f"{bin_}:{os.environ['PATH']}", "TMPDIR": str(scratch)
    }  # fmt: skip
    command = ["sbatch", f"--array={tasks[0]}-{tasks[-1]}", str(SLURM / "experiments.sbatch")]
    done = subprocess.run(
        [*command, str(SLURM / "experiments.txt")], cwd=project, env=called, check=False
    )
    said = "\n".join(path.read_text() for path in sorted(project.glob("slurm-7_*.out")))
    assert done.returncode == 0, said
    lines = (SLURM / "experiments.txt").read_text().splitlines()
    wanted = {line.split()[0]: line.split()[1:] for line in (lines[task - 1] for task in tasks)}
    listed = run(project, "git", "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps")
    assert {line.split("/")[-1] for line in listed.split()} - {"EXEC_BASELINE"} == set(wanted)
    for name, settings in wanted.items():
        ref = run(project, "git", "for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}")
        found = json.loads(run(project, "git", "show", f"{ref.strip()}:metrics.json"))
        assert found["workers"] == 2
        for setting in settings:
            key, _, value = setting.removeprefix("train_head.").partition("=")
            assert found[key] == float(value), (name, found)
    assert [path for path in scratch.iterdir() if path.is_dir()] == []  # no clone is left
    assert run(project, "git", "status", "--porcelain") == ""
    return len(wanted)


def test_a_task_of_the_array_brings_its_experiment_to_the_project(tmp_path: Path) -> None:
    array(tmp_path, range(2, 3))


@pytest.mark.long
def test_tasks_at_once_bring_each_its_own(tmp_path: Path, figures: Callable[[str], None]) -> None:
    figures(
        f"{array(tmp_path, range(1, 4))} tasks at once, each with its experiment in the project"
    )


def test_finetuning_starts_one_torchrun_a_node_with_the_options_of_dvc_yaml(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text("")
    bin_, said = tmp_path / "bin", tmp_path / "said"
    for name, script in [("srun", SRUN), ("scontrol", SCONTROL), ("torchrun", SAYS), ("dvc", SAYS)]:
        put(bin_, name, script)
    slurm = {"NUM_NODES": "2", "NODELIST": "node[1-2]", "ID": "7"}
    settings = {f"SLURM_JOB_{name}": value for name, value in slurm.items()}
    settings |= {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_CPUS_PER_TASK": "32", "SAID": str(said)}
    subprocess.run(
        ["bash", SLURM / "finetune.sbatch"], check=True,
        env=os.environ | settings | {"PATH": f"{bin_}:{os.environ['PATH']}"},
    )  # fmt: skip
    before, one, two, commit, rest = said.read_text().splitlines()
    assert (before, commit) == (
        "dvc repro find-lr-finetune",
        "dvc commit --force unfreeze-finetune",
    )
    assert (rest, one) == ("dvc repro", two)
    options = (
        "--nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-id 7 --rdzv-endpoint node1:29500"
    )
    stage = shlex.split(read_yaml(ROOT / "dvc.yaml")["stages"]["unfreeze-finetune"]["cmd"])
    words = ["torchrun", *options.split(), "--", *stage[len(BEGINNING) :]]
    assert shlex.split(one) == words
    read_by_torchrun(words[1:], stage[len(BEGINNING) :])
