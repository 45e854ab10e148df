"""Batch norms that keep their statistics, folded into the convolutions before them.

With frozen statistics, norm(conv(x)) is a convolution with other weights and a bias. Computed as such,
a pass over the activations is saved forward and two backward, and no input of a norm is kept. It is
folded anew in each forward pass, from the parameters as they are, so scale, shift and weights train as
before: their gradients come through the folded weights. A norm that trains is left to itself, and on
a GPU in training so is each: folding is a dozen small kernels a convolution, which take longer to
launch than the pass that they save.

Where no gradient is needed, a CPU clips the sums of a convolution (ReLU, ReLU6) while it has them, and
what TensorFlow's padding adds alone is filled with zeros: the same bits, and a sixth of the time of a
frozen EfficientNet-Lite0 less.

Parameters, buffers and their names stay as they were.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

TOLERANCE = 1e-4  # of the largest feature of a trial picture, in float32

Pair = tuple[nn.Conv2d, _BatchNorm]

# Activations that oneDNN knows: its name for each, and its numbers.
CLIPS: dict[type, tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}


def fold_frozen_norms(model: nn.Module, trial_px: int) -> int:
    """Let each convolution take over the batch norm that follows it, whenever that is frozen.

    Which norm follows which convolution is read off the order of the modules and proved by a trial
    with statistics unlike any others: where the features differ, nothing is folded.

    Args:
        model: timm's, in evaluation mode, with `forward_features`; changed in place.
        trial_px: side of the trial picture.

    Returns:
        how many norms are folded.
    """
    pairs = _pairs(model)
    if not pairs:
        return 0
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trial = torch.linspace(-1, 1, 3 * trial_px**2).reshape(1, 3, trial_px, trial_px)
    for number, (_, norm) in enumerate(pairs):
        _make_unlike_others(norm, number)
    plain = _features(model, trial)
    for conv, norm in pairs:
        object.__setattr__(conv, "norm", norm)  # no child of the convolution's: its name stays
        conv.forward = MethodType(_conv, conv)  # type: ignore[method-assign]
        norm.forward = MethodType(_norm, norm)  # type: ignore[method-assign]
    folded = _features(model, trial)
    model.load_state_dict(kept)
    if (folded - plain).abs().max() <= TOLERANCE * plain.abs().max():
        return len(pairs)
    for conv, norm in pairs:
        del conv.__dict__["norm"], conv.__dict__["forward"], norm.__dict__["forward"]
    return 0


def _pairs(model: nn.Module) -> list[Pair]:
    """Each convolution with the norm that comes next among the layers, if it fits."""
    pairs: list[Pair] = []
    last: nn.Conv2d | None = None
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            last = module
        elif isinstance(module, _BatchNorm):
            fits = last is not None and last.out_channels == module.num_features
            fits = fits and module.affine and module.track_running_stats
            if last is not None and fits and not isinstance(last.padding, str):
                pairs.append((last, module))
            last = None
    return pairs


def _make_unlike_others(norm: Any, number: int) -> None:
    wave = torch.sin(torch.arange(norm.num_features) * 0.7 + number)  # in [-1, 1]
    with torch.no_grad():
        norm.weight.copy_(1 + 0.3 * wave)
        norm.bias.copy_(0.2 * wave.flip(0))
        norm.running_mean.copy_(0.1 * wave.roll(1))
        norm.running_var.copy_(1 + 0.5 * wave.roll(2))


def _features(model: Any, trial: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model.forward_features(trial)
    return found


def _works_alone(norm: Any, x: Tensor) -> bool:
    return norm.training or (x.is_cuda and torch.is_grad_enabled())


def _conv(conv: Any, x: Tensor) -> Tensor:
    """The convolution, with its norm where that is frozen."""
    norm = conv.norm
    if _works_alone(norm, x):
        alone: Tensor = type(conv).forward(conv, x)
        return alone
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    if conv.bias is not None:
        shift = shift + conv.bias * scale
    weight = conv.weight * scale.view(-1, 1, 1, 1)  # (C_out) -> (C_out, 1, 1, 1)
    if type(conv) is not nn.Conv2d:  # timm's Conv2dSame
        x = _padded_as_tensorflow(conv, x)
    if clip := _clip(norm, x):
        dtype = _computed_in(x)
        clipped: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.to(dtype), weight.to(dtype), shift.to(dtype), conv.padding, conv.stride, conv.dilation,
            conv.groups, *clip, "",
        )  # fmt: skip
        return clipped
    return functional.conv2d(
        x, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups
    )


def _norm(norm: Any, x: Tensor) -> Tensor:
    """What is left of a norm that its convolution took over: the activation, where it has one."""
    if _works_alone(norm, x):
        alone: Tensor = type(norm).forward(norm, x)
        return alone
    if not hasattr(norm, "act") or _clip(norm, x):  # torch's own, or the convolution did that too
        return x
    active: Tensor = norm.act(norm.drop(x))
    return active


def _clip(norm: Any, x: Tensor) -> tuple[str, list[float]] | None:
    """The activation that the convolution before the norm applies by itself, if it does."""
    if torch.is_grad_enabled() or x.device.type != "cpu" or not _has_onednn(_computed_in(x)):
        return None
    return CLIPS.get(type(getattr(norm, "act", None)))


def _computed_in(x: Tensor) -> torch.dtype:
    """The dtype in which a convolution of x is computed."""
    is_cast = x.is_floating_point() and torch.is_autocast_enabled(x.device.type)
    return torch.get_autocast_dtype(x.device.type) if is_cast else x.dtype


def _has_onednn(dtype: torch.dtype) -> bool:
    """Whether convolutions in that dtype are oneDNN's own, as they are on x86 chips."""
    onednn: Any = torch.backends.mkldnn  # which torch has not typed
    of_x86 = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    if not (of_x86 and onednn.is_available() and onednn.enabled):
        return False
    in_bf16 = dtype == torch.bfloat16 and torch.cpu._is_avx512_bf16_supported()
    return dtype == torch.float32 or in_bf16


def _padded_as_tensorflow(conv: Any, x: Tensor) -> Tensor:
    """x with the zeros around it that let TensorFlow's convolutions reach every pixel."""
    from timm.layers.padding import get_same_padding, pad_same  # late: importing timm costs seconds

    if torch.is_grad_enabled():
        padded: Tensor = pad_same(x, conv.kernel_size, conv.stride, conv.dilation)
        return padded
    n, c, h, w = x.shape
    rows, columns = map(get_same_padding, (h, w), conv.kernel_size, conv.stride, conv.dilation)
    top, left = rows // 2, columns // 2
    larger = (n, c, h + rows, w + columns)
    padded = torch.empty(larger, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    padded[:, :, top : top + h, left : left + w] = x
    for border in (
        padded[:, :, :top],
        padded[:, :, top + h :],
        padded[:, :, :, :left],
        padded[:, :, :, left + w :],
    ):
        border.zero_()  # torch's own fills all of it first
    return padded
