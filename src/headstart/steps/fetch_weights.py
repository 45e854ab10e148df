"""Fetch pretrained weights, rename their tensors as timm does, and check that they fit."""

import json
import warnings
from collections.abc import Mapping

from torch import Tensor

from headstart.backbone.backbone import Backbone, BackboneParams
from headstart.backbone.seeding import torch_seed
from headstart.backbone.tensors import NamedTensors
from headstart.fetching.hub import download
from headstart.fetching.weights import WeightsError, fitted, renamed
from headstart.fetching.weights_sources import (
    PackageWeights,
    RandomWeights,
    TimmWeights,
    WeightsSource,
    same_architecture,
)
from headstart.project.located import UserPath


class UntrainedWarning(UserWarning):
    """The backbone has random weights."""


def fetch_weights(
    source: WeightsSource, file: NamedTensors | None, params: BackboneParams
) -> NamedTensors:
    """The backbone's tensors under timm's names, without the classifier, and their metadata.

    Args:
        source: where the weights come from.
        file: content of a package's or the user's file; None for the other sources.
        params: name of the backbone.

    Returns:
        Tensors in timm's order. Metadata: architecture, mean and std (JSON lists, for values in
        [0, 1]), source, and the sha256 of the file if the weights come from one; how the backbone
        is built and pools, if not in the plain way (see `metadata_of`).

    Raises:
        WeightsError: tensors are missing, too many, or of another shape (the message names the
            first few); the weights are of another architecture; or timm could not get them.
        UnsuitableBackboneError: timm does not know the backbone, it does not take the sizes of
            `params`, or it has no features that `params.pool` could pool.
    """
    with torch_seed(source.seed if isinstance(source, RandomWeights) else 0):
        backbone = Backbone.create(params.name, params.pool, params.sizes())
    expected: dict[str, Tensor] = backbone.model.state_dict()
    about = {**backbone.metadata(), "source": params.weights}
    found: Mapping[str, Tensor]
    match source:
        case RandomWeights():
            warnings.warn(
                f"backbone.weights is {params.weights!r}: {params.name} is UNTRAINED (random "
                "weights), so its activations mean nothing.",
                UntrainedWarning,
                stacklevel=2,
            )
            found = expected
        case TimmWeights():
            found, about["source"] = download(params.name, backbone.options)
        case PackageWeights():
            about |= {"mean": json.dumps(source.mean), "std": json.dumps(source.std)}
            _check_architecture(source.architecture, params)
            found = _content(file, about).tensors
            if source.names == "in_order":
                found = renamed(found, expected)
        case UserPath():
            content = _content(file, about)
            about |= {
                key: content.metadata[key] for key in ("mean", "std") if key in content.metadata
            }
            _check_architecture(content.metadata.get("architecture", params.name), params)
            found = content.tensors
    return NamedTensors(fitted(found, backbone.model, params.name, params.weights), about)


def _content(file: NamedTensors | None, about: dict[str, str]) -> NamedTensors:
    """The content of the source's file; its digest is added to `about`."""
    if file is None:
        raise WeightsError(f"backbone.weights is {about['source']!r}, but no file was read.")
    about["sha256"] = file.metadata["sha256"]
    return file


def _check_architecture(architecture: str, params: BackboneParams) -> None:
    if not same_architecture(architecture, params.name):
        raise WeightsError(
            f"backbone.weights is {params.weights!r}, which holds weights of {architecture}, but "
            f"backbone.name is {params.name!r}."
        )
