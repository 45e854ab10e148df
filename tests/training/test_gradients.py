from functools import partial

import pytest
import torch

from headstart.backbone.device import Compute
from headstart.network.objective import Objective
from headstart.training.gradients import PrecisionError, gradient_cosine, require_right_gradients
from headstart.training.phases import FinetuneOptimizerParams, set_mode
from tests.small_networks import small_network

CPU = torch.device("cpu")
OPTIMIZER = FinetuneOptimizerParams(
    name="sgd",
    momentum=0.9,
    weight_decay=0.0,
    clip_norm=0.0,
    batch_size=8,
    n_accumulate=1,
    n_groups=3,
    lr_ratio=3.0,
    decay_ratio=1.0,
    dropout=(0.0, 0.0),
    bn_freeze="none",
    bn_momentum="own",
)


def cosine(training: torch.dtype) -> float:
    network = small_network()
    network.requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(16, 3, 32, 32, generator=generator) * 255
    batch = pictures, torch.arange(16) % 3
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    mode = partial(set_mode, first=0, optimizer=OPTIMIZER)
    compute = Compute(CPU, torch.float32, training)
    found = gradient_cosine(network, mode, batch, Objective("single_label").loss, compute)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    return found


def test_float32_has_the_gradients_of_float64() -> None:
    found = cosine(torch.float32)
    assert found > 0.9999
    require_right_gradients(found, Compute(CPU, torch.float32, torch.float32))


def test_bf16_with_running_batch_norms_is_refused() -> None:
    found = cosine(torch.bfloat16)
    assert found < 0.99
    with pytest.raises(PrecisionError, match=r"runtime.precision: gradients in bfloat16 .* 0\.\d+"):
        require_right_gradients(found, Compute(CPU, torch.bfloat16, torch.bfloat16))
