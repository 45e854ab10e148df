"""A network as three groups that learn at different rates."""

from collections.abc import Iterator

from torch import nn

from headstart.learn.backbone import UnsuitableBackboneError
from headstart.learn.network import Network

N_GROUPS = 3
CUT_STRIDE = 8


def module_groups(network: Network) -> list[list[nn.Module]]:
    """The leaf modules of each group: the backbone up to stride 8, the rest of it, the head.

    For resnets that is the course's cut (stem, layer1, layer2 | layer3, layer4 | head): the stride-8
    map is the output of layer2. timm's feature_info says where each stride ends.

    Raises:
        UnsuitableBackboneError: timm states no stride-8 map for this model.
    """
    model = network.backbone.model
    cut = [i["module"] for i in model.feature_info if i["reduction"] == CUT_STRIDE]  # type: ignore[union-attr]
    if not cut:
        raise UnsuitableBackboneError(
            f"backbone.name is {network.backbone.architecture!r}, which has no map of stride "
            f"{CUT_STRIDE} to cut its layer groups at."
        )
    early: list[nn.Module] = []
    late: list[nn.Module] = []
    inside = False  # once the cut module was entered, its end is the first leaf outside of it
    passed = False
    for name, leaf in _leaves(model):
        at_cut = name == cut[-1] or name.startswith(f"{cut[-1]}.")
        passed = passed or (inside and not at_cut)
        inside = inside or at_cut
        (late if passed else early).append(leaf)
    return [early, late, [leaf for _, leaf in _leaves(network.head)]]


def parameter_groups(network: Network) -> list[list[nn.Parameter]]:
    """The parameters of each of `module_groups`, first group first."""
    return [
        [p for leaf in group for p in leaf.parameters(recurse=False)]
        for group in module_groups(network)
    ]


def group_rates(lr: float, lr_ratio: float) -> list[float]:
    """The rate of each group: `lr` for the last, divided by `lr_ratio` for each one before it."""
    return [lr / lr_ratio ** (N_GROUPS - 1 - group) for group in range(N_GROUPS)]


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that hold parameters or have no children, in the order of their registration."""
    for name, module in model.named_modules():
        children = next(module.children(), None)
        if children is None or next(module.parameters(recurse=False), None) is not None:
            yield name, module
