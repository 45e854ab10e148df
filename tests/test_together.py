"""unfreeze-finetune in two processes, through its script."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.test_killed import Stage

FROZEN = {"bn_freeze": "all"}
PROCS = {"HEADSTART_PROCS": "2"}
N_KILLS = 20


def a_rank(agent: "subprocess.Popen[str]", number: int) -> psutil.Process | None:
    """The process of that number, when it runs."""
    for child in psutil.Process(agent.pid).children():
        try:
            if child.environ().get("RANK") == str(number):
                return child
        except psutil.Error:
            continue
    return None


@pytest.mark.long
def test_a_killed_process_costs_no_byte(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    """One of the two is killed again and again, at random moments after a state was kept."""
    left_alone = Stage(tmp_path / "left alone", repo_root, 3, FROZEN)
    undisturbed = left_alone.end(left_alone.start(**PROCS))[1]
    again = Stage(tmp_path / "again", repo_root, 3, FROZEN)
    assert again.end(again.start(**PROCS))[1] == undisturbed
    draw, n_kills, n_runs = random.Random(0), 0, 0
    while n_kills < N_KILLS:
        stage = Stage(tmp_path / f"killed {n_runs}", repo_root, 3, FROZEN)
        agent, n_here = stage.start(**PROCS), 0
        while agent.poll() is None and n_here < 3:  # as often as all begin anew
            time.sleep(0.05)
            rank = a_rank(agent, draw.randrange(2)) if stage.states() else None
            if rank:
                time.sleep(draw.uniform(0, 3))
                if rank.is_running() and agent.poll() is None:
                    rank.send_signal(signal.SIGKILL)
                    n_here += 1
                    rank.wait()
        said, outs = stage.end(agent)
        assert outs == undisturbed, said
        n_kills, n_runs = n_kills + said.count("was killed. All begin anew."), n_runs + 1
    figures(f"{n_kills} kills of 1 of 2 processes in {n_runs} runs, the same bytes")


@pytest.mark.long
def test_norms_that_train_are_refused_in_one_sentence(tmp_path: Path, repo_root: Path) -> None:
    process = Stage(tmp_path, repo_root, 1).start(**PROCS)
    said, _ = process.communicate()
    assert process.returncode == 1
    [line] = [line for line in said.splitlines() if "bn_freeze" in line]
    assert line.startswith("Error: optimizer_finetune.bn_freeze is none, so batch norms")
    assert "Traceback" not in said


@pytest.mark.long
def test_torchrun_from_outside(tmp_path: Path, repo_root: Path) -> None:
    """It gives the bytes that HEADSTART_PROCS gives."""
    stage = Stage(tmp_path / "inside", repo_root, 1, FROZEN)
    inside = stage.end(stage.start(**PROCS))[1]
    outside = Stage(tmp_path / "outside", repo_root, 1, FROZEN)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--")
    assert outside.end(outside.start(*torchrun))[1] == inside
