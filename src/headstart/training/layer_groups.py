"""A network as groups of layers that learn at different rates."""

from collections.abc import Iterator, Sequence
from typing import Literal

from torch import nn

from headstart.backbone.backbone import UnsuitableBackboneError
from headstart.network.network import Network
from headstart.project.errors import HeadstartError

CUT_STRIDES: dict[int, tuple[int, ...]] = {2: (), 3: (8,), 4: (8, 16), 5: (4, 8, 16)}
"""Number of groups -> the strides after which the backbone is cut; the course has 3 groups."""

LATE_STRIDE = 8  # `trainable: late` begins after it


def module_groups(network: Network, n_groups: int) -> list[list[nn.Module]]:
    """The leaf modules of each group: the parts of the backbone, then the head.

    For resnets, 3 groups are the course's cut (stem, layer1, layer2 | layer3, layer4 | head): the
    stride-8 map is the output of layer2. timm's feature_info says where each stride ends.

    Raises:
        UnsuitableBackboneError: timm states no map of a needed stride for this model.
    """
    model = network.backbone.model
    modules = {i["reduction"]: i["module"] for i in model.feature_info}  # type: ignore[union-attr]
    parts: list[list[nn.Module]] = [[leaf for _, leaf in _leaves(network.head)]]
    rest = list(_leaves(model))
    for stride in reversed(CUT_STRIDES[n_groups]):
        if stride not in modules:
            raise UnsuitableBackboneError(
                f"backbone.name is {network.backbone.architecture!r}, which has no map of stride "
                f"{stride}, where optimizer_finetune.n_groups: {n_groups} cuts it; set fewer groups, "
                "or another backbone."
            )
        end = _end(rest, modules[stride])
        parts.insert(0, [leaf for _, leaf in rest[end:]])
        rest = rest[:end]
    return [[leaf for _, leaf in rest], *parts]


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
