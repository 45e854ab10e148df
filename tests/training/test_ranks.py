"""Two processes train as one does; one that is killed costs no bit."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from headstart.network.objective import Objective
from headstart.training.batch_norm import require_shared_norms
from headstart.training.parts import Part, Split
from headstart.training.ranks import ALONE, Ranks, joined_ranks
from headstart.training.whole_batch import Place
from tests.training.together import Net, trained


def test_two_processes_train_as_one_does_and_one_of_them_is_killed(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.together", "out"],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": f"{repo_root / 'src'}:{repo_root}", "HEADSTART_PROCS": "2"}
        | {"HEADSTART_DEVICE": "cpu"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the first says it\n"
    assert done.stderr == "Process 2 of 2 was killed. All begin anew.\n"
    out = torch.load(tmp_path / "out")
    found = out["found"]
    # the first may have been ended before it kept a state of the last step
    assert out["said"] in ([f"at step {step} of 4 of epoch 2 of 4"] for step in (2, 3))
    assert all(torch.equal(found["killed"][name], t) for name, t in found["sgd"].items())
    assert len(found["sgd"]["choice"]) == 7, "and the same scores of what valid chose"
    figures("1 process of 2 killed, the same bits as 2 that were left alone")
    step, checkpointed = found["step"], found["checkpointed"]
    assert step and all(torch.equal(checkpointed[name], t) for name, t in step.items())
    for name, alone, atol in (
        ("sgd", trained(ALONE), 2e-6),
        ("adamw", trained(ALONE, "adamw"), 2e-4),
        ("parts", trained(ALONE, n_accumulate=2), 2e-6),
    ):
        largest = max((found[name][key] - t).abs().max().item() for key, t in alone.items())
        assert 0 < largest < atol, name
        figures(f"{name}, 16 steps: 1 and 2 processes differ by {largest:.0e} at most")


@pytest.mark.parametrize("bn_freeze", ["none", "backbone"])
def test_norms_that_train_are_refused_on_cpus(bn_freeze: str) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    with pytest.raises(
        ValueError, match=rf"optimizer_finetune\.bn_freeze is {bn_freeze}, .* 2 proc"
    ):
        require_shared_norms(bn_freeze, Ranks(0, 2), cpu)  # type: ignore[arg-type]
    require_shared_norms(bn_freeze, ALONE, cpu)  # type: ignore[arg-type]
    require_shared_norms(bn_freeze, Ranks(0, 2), gpu)  # type: ignore[arg-type]
    require_shared_norms("all", Ranks(0, 2), cpu)


AGENT = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("cuda:1", r"HEADSTART_DEVICE is 'cuda:1', but several processes"),
        ("cuda", r"99 processes train the network, but torch sees \d+ GPUs"),
    ],
)
def test_each_process_has_its_own_gpu(
    device: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_THREADS", "1")
    monkeypatch.setenv("HEADSTART_WORKERS", "1")
    environment = AGENT | {"HEADSTART_DEVICE": device, "LOCAL_WORLD_SIZE": "99"}
    with pytest.raises(ValueError, match=sentence), joined_ranks(environment):
        pass


def test_without_an_agent_a_process_is_alone() -> None:
    with joined_ranks({}) as ranks:
        assert ranks == ALONE and ranks.is_first


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nccl_and_shared_norms_on_one_gpu(
    monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    """A group of one process: the same gradients and statistics as without a group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name, value in (AGENT | {"MASTER_PORT": port, "LOCAL_RANK": "0"}).items():
        monkeypatch.setenv(name, value)
    for name in ("HEADSTART_THREADS", "HEADSTART_WORKERS"):
        monkeypatch.setenv(name, "1")
    torch.manual_seed(0)
    pictures = torch.rand(8, 3, 32, 32, device="cuda") * 255
    part = Part(pictures, torch.arange(8, device="cuda") % 3, Place(0, 8, 8))

    def step(split: Split) -> dict[str, torch.Tensor]:
        net = Net().cuda().train()
        torch.manual_seed(2)
        loss, _ = split.gradients(net, Objective("single_label"), [part])
        gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
        return net.state_dict() | {f"{name} grad": g for name, g in gradients.items()} | {"": loss}

    alone = step(Split())
    with joined_ranks() as ranks:
        assert ranks == Ranks(0, 1, joined=True)
        joined = step(Split(1, ranks))
    assert alone.keys() == joined.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(joined[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    figures("NCCL with a group of one GPU: the gradients and statistics of no group")
