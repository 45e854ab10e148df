"""Batch norms with frozen statistics, folded into the convolutions before them.

With frozen statistics, norm(conv(x)) is a convolution with other weights and a bias. Computing it as
one convolution saves one pass over the activations forward and two backward, and no input of a norm is
kept. Each forward pass folds anew, from the current parameters. Scale, shift and weights train as
before: their gradients come through the folded weights.

A norm in training mode is not folded. On a GPU no norm is folded in training: folding is a dozen small
kernels a convolution, which take longer to launch than the pass that they save.

On one core with AVX2, in fp32 at 224 px, a forward pass of EfficientNet-Lite0 is 1.09 times as fast
(resnet34: 1.07), and a training step 0.98 times (resnet34: 1.04). A step of 16 pictures keeps 871 MB in
place of 1,289 MB (resnet34: 446 in place of 601) for its backward pass (bench.fast_paths).

Parameters, buffers and their names stay as they were.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.backbone.fast.clipped import clip_of, clipped_convolution, padded_as_tensorflow

TOLERANCE = 1e-4  # of the largest feature of a trial picture, in float32

Pair = tuple[nn.Conv2d, _BatchNorm]


def fold_frozen_norms(model: nn.Module, trial_px: int) -> int:
    """Fold each batch norm into the convolution before it, whenever the norm is frozen.

    The order of the modules tells which norm follows which convolution. A trial checks it, with
    statistics that differ from norm to norm: if the features differ, nothing is folded.

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
        object.__setattr__(conv, "norm", norm)  # not as a child: its name must stay
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
    """Forward pass of a convolution, with its norm folded in where the norm is frozen."""
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
        x = padded_as_tensorflow(conv, x)
    if clip := clip_of(norm, x):
        return clipped_convolution(conv, x, weight, shift, clip)
    return functional.conv2d(
        x, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups
    )


def _norm(norm: Any, x: Tensor) -> Tensor:
    """Forward pass of a norm; of a folded one only its activation is left, if it has one."""
    if _works_alone(norm, x):
        alone: Tensor = type(norm).forward(norm, x)
        return alone
    if not hasattr(norm, "act") or clip_of(norm, x):  # no activation, or one that is fused
        return x
    active: Tensor = norm.act(norm.drop(x))
    return active
