"""A network as groups of layers that learn at different rates."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

from torch import nn

from headstart.backbone.timm_models import UnsuitableBackboneError
from headstart.network.network import Network
from headstart.project.errors import HeadstartError

CUT_STRIDES: dict[int, tuple[int, ...]] = {2: (), 3: (8,), 4: (8, 16), 5: (4, 8, 16)}
"""Number of groups -> the strides after which the backbone is cut; the course has 3 groups.

A network without these strides is cut into as many parts by its depth."""

LATE_STRIDE = 8  # `trainable: late` begins after it


def module_groups(network: Network, n_groups: int) -> list[list[nn.Module]]:
    """The leaf modules of each group: the parts of the backbone, then the head.

    For resnets, 3 groups are the course's cut (stem, layer1, layer2 | layer3, layer4 | head): the
    stride-8 map is the output of layer2. timm's feature_info says where each stride ends. A network
    without these strides, such as a transformer, is cut into parts of equally many layers.

    Raises:
        UnsuitableBackboneError: the network has fewer layers than parts.
    """
    model = network.backbone.model
    leaves, strides = list(_leaves(model)), CUT_STRIDES[n_groups]
    modules = _modules_of_strides(model)
    parts: list[list[nn.Module]] = []
    if all(stride in modules for stride in strides):
        ends = [_end(leaves, modules[stride]) for stride in strides]
        for start, end in pairwise([0, *ends, len(leaves)]):
            parts.append([leaf for _, leaf in leaves[start:end]])
    else:
        parts = _parts_by_depth(model, leaves, n_groups - 1)
    if not all(parts):
        raise UnsuitableBackboneError(
            f"backbone.name is {network.backbone.architecture!r}, which has too few layers for "
            f"optimizer_finetune.n_groups: {n_groups}; set fewer groups."
        )
    return [*parts, [leaf for _, leaf in _leaves(network.head)]]


def first_group(trainable: Literal["head", "late", "all"], n_groups: int) -> int:
    """Number of the first group that trains.

    Raises:
        ValueError: "late" with 2 groups, whose backbone is not cut.
    """
    if trainable == "all":
        return 0
    if trainable == "head":
        return n_groups - 1
    if LATE_STRIDE not in CUT_STRIDES[n_groups]:
        raise HeadstartError(
            f"trainable is late, but optimizer_finetune.n_groups is {n_groups}, which does not cut "
            "the backbone; set it to 3 or more."
        )
    return CUT_STRIDES[n_groups].index(LATE_STRIDE) + 1


def parameter_groups(network: Network, n_groups: int) -> list[list[nn.Parameter]]:
    """The parameters of each of `module_groups`, first group first."""
    return [
        [p for leaf in group for p in leaf.parameters(recurse=False)]
        for group in module_groups(network, n_groups)
    ]


def group_rates(lr: float, lr_ratio: float, n_groups: int) -> list[float]:
    """The rate of each group: `lr` for the last, divided by `lr_ratio` for each one before it."""
    return [lr / lr_ratio ** (n_groups - 1 - group) for group in range(n_groups)]


def _modules_of_strides(model: Any) -> dict[int, str]:
    """Stride -> the last module of that stride; none for a network that has only one stride.

    Some of timm's networks state modules that they do not have; these are left out.
    """
    info = getattr(model, "feature_info", None) or []
    modules = {int(layer["reduction"]): str(layer["module"]) for layer in info}
    there = dict(model.named_modules())
    found = {stride: name for stride, name in modules.items() if name in there}
    return found if len(found) > 1 else {}


def _parts_by_depth(
    model: nn.Module, leaves: Sequence[tuple[str, nn.Module]], n_parts: int
) -> list[list[nn.Module]]:
    """Leaves in `n_parts` parts of equally many layers; the first has the embedding."""
    depths = _depths(model, leaves)
    layers = sorted(set(depths))
    part_of = {depth: rank * n_parts // len(layers) for rank, depth in enumerate(layers)}
    parts: list[list[nn.Module]] = [[] for _ in range(n_parts)]
    for (_, leaf), depth in zip(leaves, depths, strict=True):
        parts[part_of[depth]].append(leaf)
    return parts


def layers_of_parameters(model: Any) -> dict[str, int]:
    """Name of each parameter -> number of its layer, by timm's group_matcher; empty without one."""
    from timm.models import group_parameters

    if not hasattr(model, "group_matcher"):
        return {}
    layers: dict[str, int] = group_parameters(
        model, model.group_matcher(coarse=False), reverse=True
    )
    return layers


def _depths(model: nn.Module, leaves: Sequence[tuple[str, nn.Module]]) -> list[int]:
    """The number of the layer that each leaf belongs to, by timm's group_matcher.

    Without a matcher each leaf is a layer of its own. A leaf without parameters, such as an
    activation, belongs to the layer of the leaf before it.
    """
    layer_of = layers_of_parameters(model)
    depths: list[int] = []
    for number, (name, leaf) in enumerate(leaves):
        inside = f"{name}." if name else ""
        # of the parameters of its children too: it must not be later than they are
        own = [layer_of.get(f"{inside}{key}", number) for key, _ in leaf.named_parameters()]
        depths.append(min(own) if own else max(depths[-1:], default=0))
    return depths


def _end(leaves: Sequence[tuple[str, nn.Module]], module: str) -> int:
    """Number of `leaves` up to the end of `module`."""
    inside = [i for i, (name, _) in enumerate(leaves) if f"{name}.".startswith(f"{module}.")]
    return inside[-1] + 1


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that hold parameters or have no children, in the order of their registration."""
    for name, module in model.named_modules():
        children = next(module.children(), None)
        if children is None or next(module.parameters(recurse=False), None) is not None:
            yield name, module
