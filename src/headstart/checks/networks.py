"""Whether timm has the network of `backbone.name`, and the user's file its weights.

To import timm costs seconds, so it is asked only what the text of its modules does not tell.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from headstart.checks.on_this_machine import text_at
from headstart.store.sources import SourceError, UserPath, read_weights_source


def wrong_network(values: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Sentences about a name that timm does not know, and a user's weights that do not fit it.

    Args:
        values: the content of the params file; a key that is missing or wrong is passed over.
        path: of that file, for the sentences.
    """
    name, weights = text_at(values, "backbone.name"), text_at(values, "backbone.weights")
    if not name:
        return
    try:
        source = read_weights_source(weights)
    except SourceError:  # which is told where places are looked for
        source = None
    own = source if isinstance(source, UserPath) else None
    if own or not is_registered(name):
        yield from (f"{path}: {problem}" for problem in _said_by_timm(name, weights, own))


def _said_by_timm(name: str, weights: str, own: UserPath | None) -> Iterator[str]:
    # late: they take seconds
    import torch

    from headstart.learn import torchvision_ops  # noqa: F401  (must come before timm)
    from headstart.learn.backbone import UnsuitableBackboneError, timm_model
    from headstart.learn.weights import WeightsError, fitted
    from headstart.store.tensors import TensorsError, read_source

    try:
        with torch.device("meta"):  # shapes alone
            model = timm_model(name)
        if own and (file := read_source(own)):
            fitted(file.tensors, model, name, weights)
    except (UnsuitableBackboneError, WeightsError) as error:
        yield str(error)
    except TensorsError as error:
        yield f"backbone.weights: {error}"


def is_registered(name: str) -> bool:
    """Whether timm's source has a model of this name, and the tag after the dot, if there is one.

    False may only mean that it is written in another way: then timm itself must be asked.
    """
    architecture, _, tag = name.partition(".")
    if not (text := _text_of(architecture)):
        return False
    return not tag or re.search(rf"""['"]{re.escape(name)}['"]\s*:""", text) is not None


@cache
def _text_of(architecture: str) -> str:
    """The module of timm that registers a model of this name; '' where none does."""
    spec = importlib.util.find_spec("timm")
    line = re.compile(rf"^@register_model\ndef {re.escape(architecture)}\(", re.MULTILINE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(folder, "models").glob("*.py")):
            text = file.read_text(encoding="utf-8")
            if line.search(text):
                return text
    return ""
