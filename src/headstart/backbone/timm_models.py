"""timm's networks by name, built so that they take the sizes that are wanted."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from torch import nn

from headstart.backbone import torchvision_ops
from headstart.backbone.forms import PLAIN, Options
from headstart.project.errors import HeadstartError

COMMON_PX = (32, 64, 96, 112, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)


class UnsuitableBackboneError(HeadstartError):
    """The named model is unknown to timm, or gives nothing that can be pooled, or not at this size."""


class Built(NamedTuple):
    """A network with fresh weights, the options it was built with, and features of a trial picture."""

    model: nn.Module
    options: Options
    features: object


def timm_model(name: str, options: Options = PLAIN) -> nn.Module:
    """timm's `name` without classifier, with fresh weights, in evaluation mode.

    Raises:
        UnsuitableBackboneError: timm does not know the name (the message suggests similar ones), or
            it cannot make the model with these options.
    """
    _require_known(name)
    import timm  # late: it takes seconds, and training a head does not need it

    arguments: dict[str, Any] = {"pretrained": False, "num_classes": 0, **options}
    try:
        model: nn.Module = timm.create_model(name, **arguments)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:  # a tag, an option
        raise UnsuitableBackboneError(f"backbone.name is {name!r}: {_sentence(error)}") from None
    return model.eval()


def built(name: str, sizes: Sequence[int] = ()) -> Built:
    """timm's `name`, built in the first way in which it takes pictures of all `sizes`.

    Convolutional networks take most sizes as they are. Swins are told not to insist on their own;
    transformers resample their positions to each size; others are built for one size. On the device
    "meta" only shapes are computed.

    Args:
        name: as timm has it.
        sizes: sides of the input, px; none: the network's own size.

    Raises:
        UnsuitableBackboneError: timm does not know the name, or there is no such way; the message
            lists sizes that fit.
    """
    own = own_px(name)  # whatever the sizes: an unknown name must not look like an unfit size
    sizes = sizes or [own]
    seed, problem = torch.get_rng_state(), ""
    for options in _ways(sizes):
        torch.set_rng_state(seed)  # an attempt must not change the weights of the next
        try:
            model = timm_model(name, options)
            features = [features_of(model, px) for px in sizes][-1]
        except Exception as error:  # each network says in its own way that a size does not fit
            problem = problem or _sentence(error)
            continue
        # without its pooling a transformer may lack a norm that its weights have
        if getattr(features, "ndim", 0) == 4 or "global_pool" not in options:
            return Built(model, options, features)
    raise UnsuitableBackboneError(_unfit(name, sizes, problem))


def features_of(model: Any, size_px: int) -> object:
    """What forward_features gives for one black picture of `size_px`, on the model's device."""
    picture = torch.zeros(1, 3, size_px, size_px, device=next(model.parameters()).device)
    with torch.inference_mode():
        found: object = model.forward_features(picture)
    return found


def own_px(name: str) -> int:
    """The side of the input that timm states for `name`.

    Raises:
        UnsuitableBackboneError: timm does not know the name, or no weights of its tag.
    """
    _require_known(name)
    from timm.models import get_pretrained_cfg

    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        raise UnsuitableBackboneError(f"backbone.name is {name!r}: {_sentence(error)}") from None
    return int(config.input_size[-1]) if config else 224


def _require_known(name: str) -> None:
    torchvision_ops.declare_missing()
    import timm

    if timm.is_model(name):
        return
    close = get_close_matches(name, timm.list_models(), n=5)
    remedy = (
        f". Did you mean one of {', '.join(close)}?" if close else "; no similar name was found."
    )
    raise UnsuitableBackboneError(f"backbone.name is {name!r}, which timm does not know{remedy}")


def _ways(sizes: Sequence[int]) -> Iterator[Options]:
    yield PLAIN
    yield {**PLAIN, "strict_img_size": False}
    yield {"dynamic_img_size": True}
    yield {}
    if len(set(sizes)) == 1:
        yield {**PLAIN, "img_size": sizes[0]}
        yield {"img_size": sizes[0]}


def _unfit(name: str, sizes: Sequence[int], problem: str) -> str:
    """A sentence about sizes that a network does not take, and about those that it does."""
    if len(set(sizes)) > 1 and all(takes(name, px) for px in sizes):
        return (
            f"backbone.name is {name!r}, which takes one size at a time; backbone.size_px and "
            f"backbone.cached_px stand for {', '.join(map(str, sizes))} px: set cached_px to [full]."
        )
    fit = [px for px in likely_px(name, sizes) if takes(name, px)]
    remedy = f"Sizes that fit: {', '.join(map(str, fit))} px." if fit else "No size was found."
    wanted = ", ".join(str(px) for px in sizes if px not in fit) or ", ".join(map(str, sizes))
    return (
        f"backbone.name is {name!r}, which does not take pictures of {wanted} px "
        f"(backbone.size_px, backbone.cached_px): {problem.rstrip('.')}. {remedy}"
    )


def likely_px(name: str, sizes: Sequence[int]) -> list[int]:
    """Sizes to offer in place of `sizes`, which the network may take: usual ones, near ones, its own.

    Raises:
        UnsuitableBackboneError: timm does not know the name.
    """
    near = {px // step * step + more for px in sizes for step in (14, 32) for more in (0, step)}
    return [px for px in sorted({*COMMON_PX, *near, own_px(name)}) if px >= 32]


def takes(name: str, size_px: int) -> bool:
    """Whether the network can be built for this size; nothing is computed but shapes.

    Raises:
        UnsuitableBackboneError: timm does not know the name.
    """
    _require_known(name)
    with torch.device("meta"):
        for options in _ways([size_px]):
            try:
                features_of(timm_model(name, options), size_px)
            except Exception:
                continue
            return True
    return False


def _sentence(error: Exception) -> str:
    """The first line of an error, with its type where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
