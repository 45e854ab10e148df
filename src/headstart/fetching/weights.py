"""Renames the tensors of a file to timm's names, and checks them against the model's tensors."""

from collections.abc import Mapping

from torch import Tensor, nn

from headstart.project.errors import HeadstartError

N_SHOWN = 5  # tensors that an error message lists


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

    Args:
        found: tensors by timm's names.
        model: timm's, on any device.
        name: backbone.name, for the message.
        weights: backbone.weights, for the message.

    Raises:
        WeightsError: tensors are missing, too many, or of another shape; the message lists the first
            few.
    """
    expected: dict[str, Tensor] = model.state_dict()
    classifiers = _classifiers(model)
    found = {
        k: v for k, v in found.items() if k in expected or not k.startswith(classifiers or "-")
    }
    # counts of batches shape no result, and old files lack them
    counters = {k: v for k, v in expected.items() if k.endswith("num_batches_tracked")}
    found = counters | found
    problems = [
        f"{key}: {_shape(found, key)} in the file, {_shape(expected, key)} in the model"
        for key in [*expected, *sorted(found.keys() - expected.keys())]
        if _shape(found, key) != _shape(expected, key)
    ]
    if problems:
        more = f"\n  ... and {len(problems) - N_SHOWN} more" if len(problems) > N_SHOWN else ""
        raise WeightsError(
            f"backbone.weights {weights!r} does not fit backbone.name {name!r}; "
            f"{len(problems)} tensors differ:\n  " + "\n  ".join(problems[:N_SHOWN]) + more
        )
    return {key: found[key].to(tensor.dtype).contiguous() for key, tensor in expected.items()}


def _classifiers(model: nn.Module) -> tuple[str, ...]:
    """Prefixes of the names of the classifier's tensors."""
    names = model.pretrained_cfg.get("classifier") or ()  # type: ignore[union-attr, operator]
    return tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "nothing"
