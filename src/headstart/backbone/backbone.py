"""The backbone: a timm model without its classifier, with a pooling of its own."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, TypeAdapter, model_validator
from torch import Tensor, nn

from headstart.backbone.device import PLAIN_CPU, Compute
from headstart.backbone.fast.backward import CpuBackward
from headstart.backbone.fast.folded import fold_frozen_norms
from headstart.backbone.fast.switch import is_plain
from headstart.backbone.forms import PLAIN, AsPool, Options, Pool
from headstart.backbone.frame import Frame, PlainCrop
from headstart.backbone.pooling import N_PARTS, Layout, pooled
from headstart.backbone.sizes import MAX_PX, Size, px
from headstart.backbone.tensors import read_safetensors
from headstart.backbone.timm_models import (
    Built,
    UnsuitableBackboneError,
    built,
    features_of,
    timm_model,
)
from headstart.project.section import Section
from headstart.project.short import cut


class BackboneParams(Section):
    """Section `backbone`: the network whose features are used."""

    name: str = Field(
        min_length=1,
        description="a timm model whose features are a map or tokens: docs/networks.md",
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

    pool: AsPool = Field(
        description="how the features of a picture become one vector. concat: maximum and average of "
        "the map or of the patches' tokens; avg: the average; token: the class token; token_avg: class "
        "token and average. auto: concat for maps; token_avg for tokens, avg without a class token"
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

    def sizes(self) -> list[int]:
        """The sizes that the network must take, px, each once."""
        return list(dict.fromkeys([self.size_px, *self.cached_sizes()]))

    def cached_sizes(self) -> list[int]:
        """The sizes that cached_px stands for, px."""
        return [px(size, self.size_px, "backbone.cached_px") for size in self.cached_px]


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

    The pooling of maps is the course's AdaptiveConcatPool, the maximum first, the average second,
    unless backbone.pool says otherwise; see `pooling.pooled`.
    """

    def __init__(
        self,
        architecture: str,
        built: Built,
        normalisation: Normalisation,
        pool: AsPool,
    ) -> None:
        """Raises UnsuitableBackboneError: the network has no features that `pool` could pool."""
        super().__init__()
        self.architecture = architecture
        self.model = built.model
        self.options = built.options
        self.normalisation = normalisation
        self.layout = Layout.of(built.model, built.features, architecture)
        self.pool = self.layout.pool(pool, architecture)
        self.n_features = N_PARTS[self.pool] * self.layout.n_channels
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
            "options": self.options,
            "pool": self.pool,
            "weights": self.digest,
            "mean": self.normalisation.mean,
            "std": self.normalisation.sd,
            "precision": self.compute.describe()["inference_precision"],
            "device": self.compute.device.type,
        }

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] -> pooled features (N, D) in the dtype of the weights."""
        return self.joined(self.features(pictures))

    def features(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] -> maps or tokens, as `layout` says, in the dtype of the weights."""
        dtype = next(self.parameters()).dtype
        x = self.normalisation.apply(pictures, dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        compute = self.compute
        ours = compute.device.type == "cpu" and compute.training_dtype == torch.float32
        ours = ours and not is_plain()
        backward = CpuBackward(compute.backward_dtype) if ours else nullcontext()
        with compute.autocast(training=torch.is_grad_enabled()), backward:
            features: Tensor = self.model.forward_features(x)  # type: ignore[operator]
        return features.to(dtype)

    def joined(self, features: Tensor) -> Tensor:
        """Maps or tokens of N pictures -> pooled features (N, D)."""
        parts = pooled(features, self.pool, self.layout)  # each (N, C)
        if self.layout.form == "NLC" and (norm := getattr(self.model, "fc_norm", None)):
            parts = [norm(part) for part in parts]  # of transformers that norm after pooling
        return torch.cat(parts, dim=1)  # (N, D)

    @classmethod
    def create(cls, name: str, pool: AsPool = "auto", sizes: Sequence[int] = ()) -> Self:
        """Build timm's `name` with fresh weights and the normalisation timm states for it.

        Args:
            name: as timm has it.
            pool: backbone.pool.
            sizes: sides of the inputs that it must take, px; none: its own.

        Raises:
            UnsuitableBackboneError: timm does not know the name, or the network does not take the
                sizes, or has no features that `pool` could pool.
        """
        return cls.of(name, built(name, sizes), pool)

    @classmethod
    def of(cls, name: str, built: Built, pool: AsPool) -> Self:
        """timm's `name`, made fast, with the normalisation timm states for it."""
        model: Any = built.model
        config = model.pretrained_cfg
        normalisation = Normalisation(tuple(config["mean"]), tuple(config["std"]))
        backbone = cls(name, built, normalisation, pool)
        if not is_plain():
            fold_frozen_norms(model, _trial_px(built))
        model.to(memory_format=torch.channels_last)
        return backbone

    def metadata(self) -> dict[str, str]:
        """What `restore_backbone` needs beside the tensors."""
        found = {
            "architecture": self.architecture,
            "mean": json.dumps(self.normalisation.mean),
            "std": json.dumps(self.normalisation.sd),
        }
        return found | metadata_of(self.pool, self.options)


def metadata_of(pool: Pool, options: Options) -> dict[str, str]:
    """How a backbone pools and is built, as text; nothing where it is as it always was."""
    as_ever = pool == "concat" and options == PLAIN
    return {} if as_ever else {"pool": pool, "options": json.dumps(options)}


def _trial_px(built: Built) -> int:
    """The side of a picture that the network takes; a small one is as good a trial."""
    model: Any = built.model
    px = int(built.options.get("img_size", model.pretrained_cfg["input_size"][1]))
    if model.pretrained_cfg.get("fixed_input_size", False):
        return px
    try:
        features_of(model, 64)
    except Exception:  # each network says in its own way that it is too small
        return px
    return 64


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
        DamagedError: the file is damaged.
        UnsuitableBackboneError: the tensors do not fit the architecture that the file names.
    """
    content = read_safetensors(path)
    return restore_backbone(content.metadata, content.tensors, str(path))


def require_shapes(metadata: Mapping[str, str], tensors: Mapping[str, Tensor], origin: str) -> None:
    """Check that tensors fit an architecture, before memory is taken for all of it.

    Args:
        metadata, tensors, origin: as `restore_backbone` has them.

    Raises:
        UnsuitableBackboneError: a tensor is missing, unknown, or of another shape.
    """
    options: Options = json.loads(metadata["options"]) if "options" in metadata else PLAIN
    with torch.device("meta"):
        expected = timm_model(metadata["architecture"], options).state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        wanted, found = (
            tuple(of[name].shape) if name in of else None for of in (expected, tensors)
        )
        if wanted != found:
            raise UnsuitableBackboneError(
                f"{origin} does not fit its architecture, {metadata['architecture']}: tensor "
                f"{cut(name)} should have the shape {wanted}, but has {found} (None: it does not "
                "exist). Name another file."
            )


def restore_backbone(
    metadata: Mapping[str, str], tensors: Mapping[str, Tensor], origin: str
) -> Backbone:
    """A backbone from `tensors` (timm's names) and `Backbone.metadata`.

    Metadata without pool and options are of a backbone with concat pooling, built for its own size.
    """
    name = metadata["architecture"]
    options: Options = json.loads(metadata["options"]) if "options" in metadata else PLAIN
    model: Any = timm_model(name, options)
    px = int(options.get("img_size", model.pretrained_cfg["input_size"][1]))
    pool = TypeAdapter[Pool](Pool).validate_python(metadata.get("pool", "concat"))
    backbone = Backbone.of(name, Built(model, options, features_of(model, px)), pool)
    backbone.normalisation = Normalisation(
        tuple(json.loads(metadata["mean"])), tuple(json.loads(metadata["std"]))
    )
    try:
        backbone.model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise UnsuitableBackboneError(f"{origin} does not fit its architecture: {error}") from None
    backbone.digest = tensors_digest(tensors)
    return backbone.eval().requires_grad_(False)
