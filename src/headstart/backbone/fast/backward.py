"""Faster backward passes of convolutions on a CPU.

A training step spends half of its time or more in them. Losses, activations, statistics and forward
passes stay torch's own, to the last bit. Two kinds of gradients are computed differently:

1. Where the chip multiplies bf16, the factors of the gradients of ordinary convolutions are rounded
   to bf16, to 8 significant bits. Their products are summed in float32. This is about twice as fast.
   These gradients agree with float64's as well as float32's own do (docs/fine_tuning.md, `headstart
   check-gradients`). Gradients after a forward pass in bf16 do not (`gradients.MIN_COSINE`).
2. The weights' gradient of depthwise convolutions that are WIDE is computed in two halves, three
   columns of weights each: oneDNN takes five times as long for 5 x 5 weights as for 5 x 3.

On two cores with AVX512-BF16, the first makes a training step of a resnet34 1.28 to 1.39 times as
fast, and a step of an EfficientNet-Lite0 1.05 (128 px) to 1.10 (224 px) times. The second makes a step
of the EfficientNet-Lite0 1.15 times as fast (bench.fast_paths).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]

WIDE = 5  # columns of weights


class CpuBackward(TorchFunctionMode):
    """A context in which float32 convolutions have the backward passes of this module.

    Args:
        dtype: of the factors of products; None is float32. Depthwise convolutions stay in float32:
            they have one product a channel, too small for the units that make bf16 fast.
    """

    def __init__(self, dtype: torch.dtype | None) -> None:
        super().__init__()
        self._dtype = dtype or torch.float32

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.conv2d:
            return self._conv2d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _conv2d(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Pair = 1,
        padding: int | Pair | str = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
    ) -> Tensor:
        """As torch's function, with the same arguments."""
        trains = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
        if not trains or isinstance(padding, str) or input.dtype != torch.float32:
            return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)
        geometry = _pair(stride), _pair(padding), _pair(dilation)
        out: Tensor
        if groups == input.shape[1]:  # depthwise
            if groups == len(weight) and _is_wide(weight, *geometry):
                out = _WideDepthwise.apply(input, weight, bias, geometry)  # type: ignore[no-untyped-call]
                return out
        elif self._dtype != torch.float32:
            out = _Convolution.apply(input, weight, bias, geometry, groups, self._dtype)  # type: ignore[no-untyped-call]
            return out
        return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def _is_wide(weight: Tensor, stride: Pair, padding: Pair, dilation: Pair) -> bool:
    is_plain = stride == (1, 1) and dilation == (1, 1)
    return is_plain and weight.shape[3] == WIDE and padding[1] == WIDE // 2


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Any, groups: int, of_x: bool, of_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """torch's own gradients with respect to the input and to the weights."""
    dx, dw, _ = torch.ops.aten.convolution_backward(
        grad, x, weight, None, *geometry, False, (0, 0), groups, (of_x, of_weight, False)
    )
    return dx, dw


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Any,
        groups: int,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(x.to(dtype), weight.to(dtype))
        ctx.geometry, ctx.groups = geometry, groups
        stride, padding, dilation = geometry
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        [grad], (x, weight) = grads, ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        dx, dw = _gradients(grad.to(x.dtype), x, weight, ctx.geometry, ctx.groups, of_x, of_weight)
        db = grad.sum((0, 2, 3)) if of_bias else None
        return (
            dx if dx is None else dx.float(),
            dw if dw is None else dw.float(),
            db,
            None,
            None,
            None,
        )


class _WideDepthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        stride, padding, dilation = geometry
        return functional.conv2d(x, weight, bias, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        [grad], (x, weight) = grads, ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        dx, _ = _gradients(grad, x, weight, ctx.geometry, len(weight), of_x, False)
        dw = _in_halves(grad, x, weight, ctx.geometry) if of_weight else None
        return dx, dw, grad.sum((0, 2, 3)) if of_bias else None, None


def _in_halves(grad: Tensor, x: Tensor, weight: Tensor, geometry: Any) -> Tensor:
    """The gradient (C, 1, K, WIDE) of a depthwise convolution with respect to its weights.

    Both halves read one copy of x (N, C, H, W) whose rows begin with the zeros of the padding. The
    left half reads from the start of each row. The right half reads from `reach` pixels later, so
    that each of its rows ends with the zeros of the next row.
    """
    n, c, h, w = x.shape
    reach = WIDE // 2  # columns of weights on either side of the middle one, which both halves have
    (pad_rows, _), row = geometry[1], w + reach
    pixels = x.new_empty(n * h * row + reach, c)
    rows = pixels[:-reach].view(n, h, row, c)
    rows[:, :, :reach] = 0
    rows[:, :, reach:] = x.permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
    pixels[-reach:] = 0
    half = weight.new_empty(c, 1, weight.shape[2], reach + 1)
    as_images = (n, c, h, row), (h * row * c, 1, row * c, c)  # channels_last
    left, right = (
        _gradients(
            grad, pixels.as_strided(*as_images, first * c), half,
            ((1, 1), (pad_rows, 0), (1, 1)), c, False, True,
        )[1]
        for first in (0, reach)
    )  # fmt: skip
    assert left is not None and right is not None
    return torch.cat([left, right[..., 1:]], dim=3)
