"""Activation checkpointing: a block keeps its input alone, and the backward pass computes it again.

Memory is saved for one more forward pass of the blocks that train. The second pass runs the same
operations on the same inputs, so the gradients are the same to the bit:

- it has the function modes of the first one (`fast.backward.CpuBackward`,
  `whole_batch.AsInWholeBatch`), also where autograd runs it in a thread of its own, as on GPUs;
- it repeats the draws of the first one (dropout, stochastic depth), and leaves later draws as they are;
- it moves no running statistics: it sees copies of the buffers.

Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils.checkpoint import checkpoint

from headstart.backbone.timm_models import UnsuitableBackboneError
from headstart.training.layer_groups import layers_of_parameters
from headstart.training.whole_batch import AsInWholeBatch


def checkpoint_activations(model: nn.Module, architecture: str) -> None:
    """Let the blocks of timm's `model` keep their inputs alone; a second call changes nothing.

    Parameters, buffers and their names stay as they were, and so do passes without gradients.

    Raises:
        UnsuitableBackboneError: see `blocks_of`.
    """
    for block in blocks_of(model, architecture):
        block.forward = MethodType(_forward, block)


def blocks_of(model: nn.Module, architecture: str) -> list[nn.Module]:
    """The largest modules that lie within one of timm's layers; single operations are left out.

    Of a resnet they are its residual blocks, of a transformer its blocks of attention and MLP.

    Raises:
        UnsuitableBackboneError: there are none, because timm does not state the network's layers.
    """
    layer_of = layers_of_parameters(model)
    blocks: list[nn.Module] = []
    inside: set[nn.Module] = set()
    for name, module in model.named_modules():
        layers = {layer_of.get(f"{name}.{key}") for key, _ in module.named_parameters()}
        n_operations = sum(any(True for _ in m.parameters(recurse=False)) for m in module.modules())
        if len(layers) == 1 and None not in layers and n_operations > 1 and module not in inside:
            blocks.append(module)
            inside |= set(module.modules())
    if not blocks:
        raise UnsuitableBackboneError(
            f"backbone.name is {architecture!r}, whose layers timm does not state, so "
            "optimizer_finetune.checkpoint_activations must be false; raise n_accumulate to save "
            "memory."
        )
    return blocks


def _forward(block: Any, *args: Any, **kwargs: Any) -> Any:
    """Forward pass of a block; where gradients are wanted, its activations are not kept."""
    run = partial(type(block).forward, block)
    if not torch.is_grad_enabled():
        return run(*args, **kwargs)
    modes = [
        mode.again() if isinstance(mode, AsInWholeBatch) else mode
        for mode in _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
    ]
    return checkpoint(
        run,
        *(list(arg) if isinstance(arg, list) else arg for arg in args),  # densenets add to theirs
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _as_at_first(block, modes)),
        **kwargs,
    )


@contextmanager
def _as_at_first(block: nn.Module, modes: Sequence[TorchFunctionMode]) -> Iterator[None]:
    """A context in which the block runs in these modes, and what it does to its buffers is lost.

    Where another team runs the block at the same time, no norm trains, so buffers do not change.
    """
    of_team = any(isinstance(mode, AsInWholeBatch) and mode.is_of_team for mode in modes)
    modules = () if of_team else block.modules()
    kept = [(module._buffers, dict(module._buffers)) for module in modules]
    for buffers, originals in kept:
        copies = ((name, buffer) for name, buffer in originals.items() if buffer is not None)
        buffers.update({name: buffer.clone() for name, buffer in copies})
    try:
        with ExitStack() as stack:
            for mode in modes:
                stack.enter_context(mode)
            yield
    finally:
        for buffers, originals in kept:
            buffers.update(originals)
