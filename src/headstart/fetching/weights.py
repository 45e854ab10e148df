"""Renames the tensors of a file to timm's names, and checks them against the model's tensors."""

import sys
from collections.abc import Mapping
from itertools import islice

from torch import Tensor, nn

from headstart.project.errors import HeadstartError

N_SHOWN = 5  # tensors that an error message lists
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "0.")
"""What wrappers put before all names: parallel training, torch.compile, Lightning, a Sequential."""


class WeightsError(HeadstartError):
    """The weights do not fit the backbone, or there are none."""


def renamed(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give tensors in timm's order timm's names; leave out two that follow (a classifier).

    Raises:
        WeightsError: there are too few tensors, or too many.
    """
    n_more = len(found) - len(expected)
    if n_more not in (0, 2):
        raise WeightsError(
            f"the file holds {len(found)} tensors, which cannot be matched in order: the backbone has "
            f"{len(expected)}, and a classifier would add 2."
        )
    return dict(zip(expected, found.values(), strict=False))


def fitted(
    found: Mapping[str, Tensor], model: nn.Module, name: str, weights: str
) -> dict[str, Tensor]:
    """`found` in the order and dtypes of `model`'s tensors, without classifier, with all counters.

    Names may have a prefix, such as `module.`. Where names or shapes are not timm's, timm's own
    conversion for the network is tried: it knows the names of the authors' files, and resamples the
    positions of another input size.

    Args:
        found: tensors by name.
        model: timm's, on any device.
        name: backbone.name, for the message.
        weights: backbone.weights, for the message.

    Raises:
        WeightsError: tensors are missing, too many, or of another shape; the message lists the first
            few. Or the file holds several networks.
    """
    expected: dict[str, Tensor] = model.state_dict()
    found = _without_prefix(found, expected, weights)
    found = _without_head(found, expected, model)
    if differences := _differences(found, expected):
        converted = _without_head(_converted(found, model), expected, model)
        if _differences(converted, expected):
            raise WeightsError(_misfit(differences, found, expected, name, weights))
        found = converted
    found = _counters(expected) | found
    return {key: found[key].to(tensor.dtype).contiguous() for key, tensor in expected.items()}


def _without_prefix(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], weights: str
) -> dict[str, Tensor]:
    """The tensors without the prefix that wrappers put before the names of the network.

    Names without it, such as those of a head beside the network, stay as they are.
    """
    while known := [p for p in PREFIXES if found and all(name.startswith(p) for name in found)]:
        found = {name.removeprefix(known[0]): tensor for name, tensor in found.items()}
    needed = [name for name in expected if name not in _counters(expected)]
    # each prefix before the first name that is wanted
    prefixes = [
        name.removesuffix(needed[0])
        for name in found
        if name == needed[0] or name.endswith(f".{needed[0]}")
    ]
    whole = [prefix for prefix in prefixes if all(prefix + name in found for name in needed)]
    if len(whole) > 1 and "" not in whole:
        raise WeightsError(
            f"backbone.weights {weights!r} holds {len(whole)} networks that fit, under "
            f"{', '.join(whole)}: save one of them alone."
        )
    prefix = whole[0] if len(whole) == 1 else ""
    return {name.removeprefix(prefix): tensor for name, tensor in found.items()}


def _without_head(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], model: nn.Module
) -> dict[str, Tensor]:
    """The tensors without the classifier, whatever one module of that form is called."""
    classifiers = _classifiers(model)
    found = {
        k: v for k, v in found.items() if k in expected or not k.startswith(classifiers or "-")
    }
    inside = {name.split(".")[0] for name in expected}
    others = {name.split(".")[0] for name in found} - inside
    if len(others) == 1:
        head = {name: t for name, t in found.items() if name.split(".")[0] in others}
        widths = [tensor.shape[1] for tensor in head.values() if tensor.ndim == 2]
        flat = all(tensor.ndim <= 2 for tensor in head.values())
        if flat and widths and widths[0] % int(model.num_features) == 0:  # type: ignore[arg-type]
            found = {name: tensor for name, tensor in found.items() if name not in head}
    return found


def _converted(found: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The tensors as timm's conversion for this network gives them; as they are if it gives none."""
    module = sys.modules[type(model).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None) or getattr(module, "_filter_fn", None)
    if convert is None:
        return dict(found)
    try:
        converted: dict[str, Tensor] = convert(dict(found), model)
    except Exception:  # made for the authors' files; others it may not understand
        return dict(found)
    return converted


def _counters(expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Counts of batches, which shape no result, and which old files lack."""
    return {k: v for k, v in expected.items() if k.endswith("num_batches_tracked")}


def _differences(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    found = _counters(expected) | dict(found)
    return [
        f"{key}: {_shape(found, key)} in the file, {_shape(expected, key)} in the model"
        for key in [*expected, *sorted(found.keys() - expected.keys())]
        if _shape(found, key) != _shape(expected, key)
    ]


def _misfit(
    differences: list[str],
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    name: str,
    weights: str,
) -> str:
    """What differs, and, where no name is the same, what the file and the model begin with."""
    more = [f"... and {len(differences) - N_SHOWN} more"] if len(differences) > N_SHOWN else []
    lines = [*differences[:N_SHOWN], *more]
    if not found.keys() & expected.keys():
        first, wanted = (", ".join(islice(names, N_SHOWN)) for names in (found, expected))
        lines = [f"no name is the same: the file begins with {first}; the model with {wanted}"]
    return (
        f"backbone.weights {weights!r} does not fit backbone.name {name!r}; "
        f"{len(differences)} tensors differ:\n  " + "\n  ".join(lines)
    )


def _classifiers(model: nn.Module) -> tuple[str, ...]:
    """Prefixes of the names of the classifier's tensors."""
    names = model.pretrained_cfg.get("classifier") or ()  # type: ignore[union-attr, operator]
    return tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "nothing"
