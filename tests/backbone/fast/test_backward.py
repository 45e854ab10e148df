from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import Compute
from headstart.backbone.fast.backward import CpuBackward
from tests.small_networks import small_backbone

CPU = torch.device("cpu")


def tensor(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def outcome(run: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """What `run` gives, then the gradients of the inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    out = run(*leaves)
    (out * tensor(*out.shape)).sum().backward()  # type: ignore[no-untyped-call]
    grads = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert len(grads) == len(leaves)
    return [out.detach(), *grads]


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        ({"padding": 1}, 1),
        ({"stride": 2, "padding": (1, 0)}, 1),
        ({"dilation": 2}, 2),
    ],
)
def test_the_forward_pass_keeps_its_bits_and_the_gradients_are_close(
    options: dict[str, Any], groups: int
) -> None:
    inputs = tensor(3, 8, 12, 12), tensor(6, 8 // groups, 3, 3), tensor(6)

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.conv2d(x, weight, bias, groups=groups, **options)

    plain, exact = outcome(run, *inputs), outcome(run, *(x.double() for x in inputs))
    with CpuBackward(torch.bfloat16):
        reduced = outcome(run, *inputs)
    assert torch.equal(plain[0], reduced[0])
    for found, full, wanted in zip(reduced[1:3], plain[1:3], exact[1:3], strict=True):
        assert found.dtype == torch.float32 and not torch.equal(found, full)
        # two factors, each rounded to 8 significant bits, so by 2^-9 at most
        assert (found - wanted).norm() < 2**-8 * wanted.norm()
    assert (reduced[3] - exact[3]).norm() < 2**-18 * exact[3].norm()  # a sum, no product


@pytest.mark.parametrize(
    ("x", "weight", "groups"),
    [
        (tensor(2, 8, 9, 9), tensor(8, 1, 3, 3), 8),  # depthwise
        (tensor(2, 8, 9, 9), tensor(8, 1, 5, 5), 8),  # depthwise and wide, but not padded
        (tensor(2, 4, 9, 9).double(), tensor(4, 4, 3, 3).double(), 1),
    ],
)
def test_what_gains_nothing_keeps_every_bit(x: Tensor, weight: Tensor, groups: int) -> None:
    def run(x: Tensor, weight: Tensor) -> Tensor:
        return functional.conv2d(x, weight, groups=groups)

    plain = outcome(run, x, weight)
    with CpuBackward(torch.bfloat16):
        reduced = outcome(run, x, weight)
        assert not run(x, weight).requires_grad  # nothing trains
    assert all(torch.equal(a, b) for a, b in zip(plain, reduced, strict=True))


@pytest.mark.parametrize("x_shape", [(3, 8, 12, 9), (1, 5, 5, 3), (2, 4, 1, 1)])
@pytest.mark.parametrize(("rows", "pad_rows"), [(5, 2), (3, 0), (1, 1)])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_the_gradients_of_wide_depthwise_convolutions_are_those_of_float64(
    x_shape: tuple[int, int, int, int], rows: int, pad_rows: int, memory: torch.memory_format
) -> None:
    if x_shape[2] + 2 * pad_rows < rows:
        pytest.skip("higher than the picture")
    c = x_shape[1]
    inputs = tensor(*x_shape).contiguous(memory_format=memory), tensor(c, 1, rows, 5), tensor(c)

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.conv2d(x, weight, bias, padding=(pad_rows, 2), groups=c)

    plain, exact = outcome(run, *inputs), outcome(run, *(x.double() for x in inputs))
    for dtype in (None, torch.bfloat16):
        with CpuBackward(dtype):
            found = outcome(run, *inputs)
        assert torch.equal(plain[0], found[0])
        assert torch.equal(plain[1], found[1])
        for ours, wanted in zip(found[2:], exact[2:], strict=True):
            assert ours.dtype == torch.float32
            torch.testing.assert_close(ours.double(), wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("norms_run", [False, True])
def test_a_backbone_trains_on_the_gradients_of_float64(norms_run: bool) -> None:
    def gradients(backbone: Backbone, dtype: torch.dtype) -> Tensor:
        backbone = backbone.to(dtype).requires_grad_(True)
        for module in backbone.modules():
            module.train(norms_run and isinstance(module, nn.BatchNorm2d))
        backbone(tensor(8, 3, 32, 32) * 255).square().mean().backward()
        return torch.cat(
            [p.grad.double().flatten() for p in backbone.parameters() if p.grad is not None]
        )

    reduced = Compute(CPU, torch.float32, torch.float32, torch.bfloat16)
    found = gradients(small_backbone().on(reduced), torch.float32)
    assert not torch.equal(found, gradients(small_backbone(), torch.float32))
    wanted = gradients(small_backbone(), torch.float64)
    assert functional.cosine_similarity(found, wanted, dim=0) > 0.999
