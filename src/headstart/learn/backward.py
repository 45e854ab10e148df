"""Backward passes whose products are made in bf16, below forward passes in float32.

A training step spends two thirds of its operations in the products of the backward pass: the gradient
of each convolution by its weights, and by its input. Chips that multiply bf16 make them about twice as
fast. A forward pass in bf16 gives gradients that point elsewhere (`gradients.MIN_COSINE`). Here losses,
activations and statistics are those of float32; the factors of these products alone are rounded, to 8
significant bits, and summed in float32. Such gradients agree with those of float64 as well as float32's
own (docs/fine_tuning.md, `headstart check-gradients`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]


class Bf16Products(TorchFunctionMode):
    """While it is entered, convolutions of float32 make the products of their backward pass in bf16.

    Depthwise ones do not: they have a product a channel, too small for the units that make them fast.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.conv2d:
            return _conv2d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    """torch's function, of the same arguments."""
    trains = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    depthwise = groups == input.shape[1]
    if not trains or depthwise or isinstance(padding, str) or input.dtype != torch.float32:
        return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)
    geometry = _pair(stride), _pair(padding), _pair(dilation)
    out: Tensor = _Convolution.apply(input, weight, bias, geometry, groups)  # type: ignore[no-untyped-call]
    return out


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Any, groups: int
    ) -> Tensor:
        ctx.save_for_backward(x.bfloat16(), weight.bfloat16())
        ctx.geometry, ctx.groups = geometry, groups
        stride, padding, dilation = geometry
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        [grad] = grads
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        dx, dw, _ = torch.ops.aten.convolution_backward(
            grad.bfloat16(), *ctx.saved_tensors, None, *ctx.geometry, False, (0, 0), ctx.groups,
            (of_x, of_weight, False),
        )  # fmt: skip
        return (
            dx.float() if of_x else None,
            dw.float() if of_weight else None,
            grad.sum((0, 2, 3)) if of_bias else None,
            None,
            None,
        )
