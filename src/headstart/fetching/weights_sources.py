"""Where weights come from: what `backbone.weights` names."""

from typing import Annotated, Literal

from pydantic import Field

from headstart.backbone.tensors import NamedTensors, read_tensors
from headstart.fetching.descriptions import checked_path, read_description
from headstart.project.located import AbsentError, Package, SourceError, UserPath, locate
from headstart.project.section import Section

Channels = Annotated[
    tuple[float, float, float],
    Field(strict=False, description="one number per channel, for pixel values in [0, 1]"),
]


class PackageWeights(Package):
    """A weights file in an installed package."""

    architecture: str = Field(description="the timm model whose weights it holds")
    names: Literal["same", "in_order"] = Field(
        description="same: timm's names; in_order: timm's order under other names"
    )
    mean: Channels
    std: Channels


class TimmWeights(Section):
    """The weights that timm downloads for the name of the backbone."""

    kind: Literal["timm"]


class RandomWeights(Section):
    """Untrained weights."""

    kind: Literal["random"]
    seed: int = Field(ge=0, description="seed of the random weights")


WeightsSource = PackageWeights | TimmWeights | RandomWeights | UserPath


def read_weights_source(value: str) -> WeightsSource:
    """The source that `backbone.weights` names.

    Raises:
        SourceError: `value` has no allowed form, or what it names does not exist.
    """
    path = checked_path(
        *("backbone.weights", value, "a file of weights", "/home/me/resnet34.safetensors"),
        url_hint="a URL: download it first, then give its path",
    )
    if path.is_absolute():
        if not path.is_file():
            kind = SourceError if path.exists() else AbsentError
            raise kind(f"backbone.weights is {value!r}, which is not a file.")
        return UserPath(path)
    one_of = Annotated[PackageWeights | TimmWeights | RandomWeights, Field(discriminator="kind")]
    source: WeightsSource = read_description(path, one_of)
    return source


def same_architecture(one: str, other: str) -> bool:
    """Whether two of timm's names are one architecture: with and without a tag (resnet34.tv_in1k)."""
    return one.split(".")[0] == other.split(".")[0]


def read_source(source: WeightsSource) -> NamedTensors | None:
    """The tensors of a source's file, checked by its sha256 if that is known; None without a file."""
    match source:
        case PackageWeights():
            return read_tensors(locate(source), source.sha256)
        case UserPath():
            return read_tensors(source.path)
        case _:
            return None
