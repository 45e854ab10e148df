"""Checks that timm has the network `backbone.name`, and that the user's file has its weights.

Importing timm takes seconds, so it is imported only if the text of its modules is not enough.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.checks.on_this_machine import text_at
from headstart.fetching.weights_sources import read_weights_source
from headstart.project.located import SourceError, UserPath

if TYPE_CHECKING:
    from torch import nn


def unknown_network(values: Mapping[str, Any], path: Path) -> Iterator[str]:
    """A sentence about a `backbone.name` that timm does not know.

    Args:
        values: the content of the params file; a key that is missing or wrong is skipped.
        path: of that file, for the sentence.
    """
    name = text_at(values, "backbone.name")
    if not name or is_registered(name):
        return
    from headstart.backbone.timm_models import UnsuitableBackboneError

    try:
        _on_paper(name)
    except UnsuitableBackboneError as error:
        yield f"{path}: {error}"


def wrong_tensors(values: Mapping[str, Any], path: Path) -> Iterator[str]:
    """A sentence about a user's file of weights whose tensors do not fit the network.

    Args:
        values: the content of the params file; a key that is missing or wrong is skipped, and so is
            a problem that `unknown_network` or `missing_here` reports.
        path: of that file, for the sentence.
    """
    name, weights = text_at(values, "backbone.name"), text_at(values, "backbone.weights")
    try:
        source = read_weights_source(weights)
    except SourceError:
        return
    if not name or not isinstance(source, UserPath):
        return
    from headstart.backbone.tensors import TensorsError, read_tensors
    from headstart.backbone.timm_models import UnsuitableBackboneError
    from headstart.fetching.weights import WeightsError, fitted

    try:
        fitted(read_tensors(source.path).tensors, _on_paper(name, _sizes(values)), name, weights)
    except WeightsError as error:
        yield f"{path}: {error}"
    except TensorsError as error:
        yield f"{path}: backbone.weights: {error}"
    except UnsuitableBackboneError:
        return


def _on_paper(name: str, sizes: Sequence[int] = ()) -> "nn.Module":
    """timm's network with the shapes of its tensors only; raises UnsuitableBackboneError."""
    # imported late: they take seconds
    import torch

    from headstart.backbone.timm_models import built

    with torch.device("meta"):
        return built(name, sizes).model


def _sizes(values: Mapping[str, Any]) -> list[int]:
    """The sizes that the network must take; none where the section is wrong."""
    from headstart.backbone.backbone import BackboneParams

    try:
        return BackboneParams.model_validate(values["backbone"]).sizes()
    except ValueError:
        return []


def is_registered(name: str) -> bool:
    """Whether timm's source has a model of this name, and the tag after the dot, if there is one.

    False is no proof, as the source may register the model in another way: then ask timm itself.
    """
    architecture, _, tag = name.partition(".")
    if not (text := _text_of(architecture)):
        return False
    return not tag or re.search(rf"""['"]{re.escape(name)}['"]\s*:""", text) is not None


@cache
def _text_of(architecture: str) -> str:
    """The source of the timm module that registers a model of this name; '' if none does."""
    spec = importlib.util.find_spec("timm")
    line = re.compile(rf"^@register_model\ndef {re.escape(architecture)}\(", re.MULTILINE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(folder, "models").glob("*.py")):
            text = file.read_text(encoding="utf-8")
            if line.search(text):
                return text
    return ""
