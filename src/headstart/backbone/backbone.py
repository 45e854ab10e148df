"""The backbone: a timm model without its classifier, with concat pooling."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, model_validator
from safetensors import safe_open
from torch import Tensor, nn

from headstart.backbone import torchvision_ops
from headstart.backbone.device import PLAIN_CPU, Compute
from headstart.backbone.fast.backward import CpuBackward
from headstart.backbone.fast.folded import fold_frozen_norms
from headstart.backbone.fast.switch import is_plain
from headstart.backbone.frame import Frame, PlainCrop
from headstart.backbone.sizes import MAX_PX, Size, px
from headstart.project.errors import HeadstartError
from headstart.project.section import Section


class BackboneParams(Section):
    """Section `backbone`: the network whose features are used."""

    name: str = Field(
        min_length=1, description="a timm model whose forward_features returns a 4-D map"
    )
    weights: str = Field(
        min_length=1,
        description="a file in sources/, or the absolute path of a .safetensors or .pth file",
    )
    size_px: int = Field(
        ge=32,
        le=MAX_PX,
        description="side of the square network input, px, 32 to 4,096; phases may use smaller "
        "ones",
    )
    cached_px: tuple[Size, ...] = Field(
        strict=False,
        min_length=1,
        description="input sizes whose activations are cached, px, 32 to 4,096, in the order in which "
        "the head is trained on them; full: size_px",
    )
    crop: PlainCrop = Field(
        description="how all views are cropped. center: a square, proportions kept; squash: the "
        "whole picture scaled to a square, for things that reach the border and whose proportions "
        "tell little"
    )
    crop_frac: float = Field(
        ge=0.1,
        le=1,
        description="part of the picture that the plain view shows, 0.1 to 1: of the shorter side "
        "with center, of both sides with squash",
    )

    def frame(self) -> Frame:
        """What the plain view shows."""
        return Frame(self.crop, self.crop_frac)

    @model_validator(mode="after")
    def _each_size_once(self) -> Self:
        sizes = self.cached_sizes()
        if len(set(sizes)) < len(sizes):
            raise ValueError(f"cached_px stands for {sizes}: name each size once")
        return self

    def cached_sizes(self) -> list[int]:
        """The sizes that cached_px stands for, px."""
        return [px(size, self.size_px, "backbone.cached_px") for size in self.cached_px]


class UnsuitableBackboneError(HeadstartError):
    """The named model is unknown to timm or does not give a map of features."""


@dataclass(frozen=True)
class Normalisation:
    """Per-channel mean and standard deviation of the inputs, for values in [0, 1]."""

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]

    def apply(self, pictures: Tensor, dtype: torch.dtype) -> Tensor:
        """(N, 3, H, W) in [0, 255] of any dtype -> `dtype`, normalised."""
        # (x / 255 - mean) / sd as one multiply and one add
        mean, sd = (
            torch.tensor(values, dtype=dtype)
            .to(pictures.device, non_blocking=True)
            .view(1, 3, 1, 1)
            for values in (self.mean, self.sd)
        )
        return pictures.to(dtype) * (1 / (255 * sd)) - mean / sd


class Backbone(nn.Module):
    """A timm model cut before its pooling: pictures (N, 3, H, W) in [0, 255] -> (N, D).

    D is twice the channels of the last map. The pooling is the course's AdaptiveConcatPool: the
    maximum first, the average second.
    """

    def __init__(self, architecture: str, model: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.architecture = architecture
        self.model = model
        self.normalisation = normalisation
        self.n_features = 2 * int(model.num_features)  # type: ignore[arg-type]
        self._channels_last_output = getattr(model, "output_fmt", "NCHW") == "NHWC"
        self.digest = ""
        self.compute = PLAIN_CPU

    def on(self, compute: Compute) -> Self:
        """Move to the device of `compute`, and run in its precisions from now on."""
        self.compute = compute
        return self.to(compute.device)

    def describe(self) -> dict[str, Any]:
        """What determines the features, apart from the pictures; for manifests."""
        return {
            "architecture": self.architecture,
            "weights": self.digest,
            "mean": self.normalisation.mean,
            "std": self.normalisation.sd,
            "precision": self.compute.describe()["inference_precision"],
            "device": self.compute.device.type,
        }

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] -> concat-pooled features (N, D) in the dtype of the weights."""
        dtype = next(self.parameters()).dtype
        x = self.normalisation.apply(pictures, dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        compute = self.compute
        ours = compute.device.type == "cpu" and compute.training_dtype == torch.float32
        ours = ours and not is_plain()
        backward = CpuBackward(compute.backward_dtype) if ours else nullcontext()
        with compute.autocast(training=torch.is_grad_enabled()), backward:
            maps = self.model.forward_features(x)  # type: ignore[operator]
        if self._channels_last_output:
            maps = maps.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
        maps = maps.to(dtype)
        return torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1)  # (N, 2C) = (N, D)

    @classmethod
    def create(cls, name: str) -> Self:
        """Build timm's `name` with fresh weights and the normalisation timm states for it.

        Raises:
            UnsuitableBackboneError: timm does not know the name, or its forward_features gives
                tokens (N, L, C) rather than a map.
        """
        model: Any = timm_model(name)
        config = model.pretrained_cfg
        with torch.inference_mode():
            shape = model.eval().forward_features(torch.zeros(1, *config["input_size"])).shape
        if len(shape) != 4:
            raise UnsuitableBackboneError(
                f"backbone.name is {name!r}, whose features have the shape {tuple(shape)}; "
                "a backbone must give a 4-D map (resnets, EfficientNets, ConvNeXts, Swins do)."
            )
        if not is_plain():
            # a small picture is as good a trial, if the network takes one
            fixed = config.get("fixed_input_size", False)
            fold_frozen_norms(model, config["input_size"][1] if fixed else 64)
        normalisation = Normalisation(tuple(config["mean"]), tuple(config["std"]))
        return cls(name, model.to(memory_format=torch.channels_last), normalisation)


def timm_model(name: str) -> nn.Module:
    """timm's `name` without classifier and pooling, with fresh weights.

    Raises:
        UnsuitableBackboneError: timm does not know the name (the message suggests similar ones), or
            it cannot make the model without pooling.
    """
    torchvision_ops.declare_missing()
    import timm  # late: it takes seconds, and training a head does not need it

    if not timm.is_model(name):
        close = get_close_matches(name, timm.list_models(), n=5)
        raise UnsuitableBackboneError(
            f"backbone.name is {name!r}, which timm does not know. Did you mean one of "
            f"{', '.join(close)}?"
            if close
            else f"backbone.name is {name!r}, which timm does not know; no similar name was found."
        )
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, global_pool="")
    except (RuntimeError, AssertionError) as error:  # an unknown tag; tokens, which have no map
        raise UnsuitableBackboneError(f"backbone.name is {name!r}: {error}") from None
    return model


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 (hex) over names, shapes, dtypes and bytes; the same on every device."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_backbone(path: Path) -> Backbone:
    """Read the file that fetch-weights wrote, as a backbone in eval mode, without gradients.

    Raises:
        UnsuitableBackboneError: the tensors do not fit the architecture that the file names.
    """
    with safe_open(path, framework="pt") as file:
        metadata: dict[str, str] = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return restore_backbone(metadata, tensors, str(path))


def restore_backbone(
    metadata: Mapping[str, str], tensors: Mapping[str, Tensor], origin: str
) -> Backbone:
    """A backbone from `tensors` (timm's names) and metadata: architecture, mean, std (JSON lists)."""
    backbone = Backbone.create(metadata["architecture"])
    backbone.normalisation = Normalisation(
        tuple(json.loads(metadata["mean"])), tuple(json.loads(metadata["std"]))
    )
    try:
        backbone.model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise UnsuitableBackboneError(f"{origin} does not fit its architecture: {error}") from None
    backbone.digest = tensors_digest(tensors)
    return backbone.eval().requires_grad_(False)
