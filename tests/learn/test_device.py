from typing import Any

import pytest
import torch

from headstart.learn.device import Compute, RuntimeParams, prepare

AUTO = RuntimeParams(precision="auto", deterministic=True)


@pytest.fixture(autouse=True)
def _restore() -> object:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def test_auto_never_trains_in_a_reduced_precision() -> None:
    compute = prepare(AUTO, {"HEADSTART_DEVICE": "cpu"})
    assert compute.training_dtype == torch.float32
    fast = torch.cpu._is_avx512_bf16_supported()
    assert compute.inference_dtype == (torch.bfloat16 if fast else torch.float32)
    assert torch.are_deterministic_algorithms_enabled()
    deterministic: Any = torch.utils.deterministic
    assert not deterministic.fill_uninitialized_memory  # a tenth of a training step


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_precision_asked_for_is_taken(precision: str, dtype: torch.dtype) -> None:
    runtime = AUTO.model_copy(update={"precision": precision})
    compute = prepare(runtime, {"HEADSTART_DEVICE": "cpu", "HEADSTART_THREADS": "1"})
    assert (compute.inference_dtype, compute.training_dtype) == (dtype, dtype)
    assert torch.get_num_threads() == 1
    with compute.autocast(training=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_manifest_says_what_auto_became() -> None:
    described = Compute(torch.device("cpu"), torch.bfloat16, torch.float32).describe()
    assert described == {
        "device": "cpu",
        "inference_precision": "bfloat16",
        "training_precision": "float32",
    }
