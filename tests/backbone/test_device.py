from dataclasses import replace
from typing import Any

import pytest
import torch

from headstart.backbone.device import PLAIN_CPU, Compute, RuntimeParams, prepare

AUTO = RuntimeParams(precision="auto", deterministic=True)


@pytest.fixture(autouse=True)
def _restore() -> object:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def test_auto_reduces_what_the_chip_makes_faster_but_never_the_forward_pass_of_training() -> None:
    compute = prepare(AUTO, {"HEADSTART_DEVICE": "cpu"})
    assert compute.training_dtype == torch.float32
    fast = torch.cpu._is_avx512_bf16_supported()
    assert compute.inference_dtype == (torch.bfloat16 if fast else torch.float32)
    assert compute.backward_dtype == (torch.bfloat16 if fast else None)
    assert torch.are_deterministic_algorithms_enabled()
    deterministic: Any = torch.utils.deterministic
    assert not deterministic.fill_uninitialized_memory  # a tenth of a training step


@pytest.mark.parametrize(("has_cuda", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_no_device_whose_results_vary(
    monkeypatch: pytest.MonkeyPatch, has_cuda: bool, device: str
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert prepare(AUTO, {}).device.type == device


def test_auto_without_a_backward_pass_of_ours_trains_in_fp32() -> None:
    compute = prepare(AUTO, {"HEADSTART_DEVICE": "cpu", "HEADSTART_PLAIN": "1"})
    assert compute == replace(prepare(AUTO, {"HEADSTART_DEVICE": "cpu"}), backward_dtype=None)


def test_what_is_kept_of_plain_networks_is_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = PLAIN_CPU.kernels()
    monkeypatch.setenv("HEADSTART_PLAIN", "1")
    assert PLAIN_CPU.kernels() == kernels | {"plain": True} != kernels


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_precision_asked_for_is_taken(precision: str, dtype: torch.dtype) -> None:
    runtime = AUTO.model_copy(update={"precision": precision})
    compute = prepare(runtime, {"HEADSTART_DEVICE": "cpu", "HEADSTART_THREADS": "1"})
    assert (compute.inference_dtype, compute.training_dtype) == (dtype, dtype)
    assert compute.backward_dtype is None
    assert torch.get_num_threads() == 1
    with compute.autocast(training=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


@pytest.mark.parametrize(
    ("backward", "training"),
    [(None, "float32"), (torch.bfloat16, "float32, backward bfloat16")],
)
def test_a_manifest_says_what_auto_became(backward: torch.dtype | None, training: str) -> None:
    compute = Compute(torch.device("cpu"), torch.bfloat16, torch.float32, backward)
    assert compute.describe() == {
        "device": "cpu",
        "inference_precision": "bfloat16",
        "training_precision": training,
    }
