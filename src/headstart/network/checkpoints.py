"""Checkpoints: safetensors whose metadata hold everything that a prediction needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from torch import Tensor

from headstart.backbone.forms import BUILT_BY, PLAIN, WrittenOptions, WrittenPool
from headstart.backbone.frame import Frame
from headstart.backbone.precision import Precision
from headstart.backbone.sizes import MAX_PX
from headstart.backbone.tensors import NamedTensors, read_safetensors, write_tensors
from headstart.pictures.preprocessing import Preprocessing
from headstart.project.errors import HeadstartError
from headstart.project.seals import DamagedError
from headstart.project.short import cut
from headstart.project.versions import versions

FORMAT: Final = 3
FiniteAbove0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]


REMEDY: Final = "run `dvc repro`, which restores it, or copy it anew from where it came"


class CheckpointError(HeadstartError):
    """A file is no checkpoint of headstart, or does not fit the other files it is used with."""


class CheckpointInfo(BaseModel):
    """What a checkpoint says about itself.

    Attributes:
        kind: head (its tensors belong on the frozen backbone named by `weights`), network, or
            ensemble (of networks, whose tensors begin with their number: `0.backbone.*`).
        architecture: timm's name of the backbone.
        options: how timm builds the backbone.
        pool: how the backbone's features become one vector.
        weights: digest of the backbone that the training started from.
        mean: per channel, of inputs in [0, 1].
        std: standard deviation per channel.
        size_px: side of the square input at which it was trained last and at which it predicts.
        full_px: the largest side of its phases, backbone.size_px.
        frame: what the plain view shows of a picture.
        preprocessing: what a picture file goes through before the plain view is cropped.
        precision: of the forward passes that scored it.
        classes: in the order of the logits.
        task: what the labels are.
        hidden_units: of the head.
        dropout: of the head.
        thresholds: of the K classes of multi_label, for plain and for tta probabilities. They are
            found on valid, and every later prediction uses them. Empty before tta-evaluate.
        temperatures: by which plain and tta probabilities are calibrated (scores.calibration). They
            are found on valid, and every later prediction uses them. Empty: nothing is calibrated.
        costs: (K, K) of every decision, true class by given class, by which every later prediction
            is decided. Empty: each picture gets its likeliest class.
        params: the sections of params.yaml that it was trained with; of runtime what auto became.
        history: what was trained before, oldest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[3] = FORMAT
    kind: Literal["head", "network", "ensemble"]
    architecture: str
    options: WrittenOptions = PLAIN
    pool: WrittenPool = "concat"
    weights: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size_px: int = Field(ge=1, le=MAX_PX)
    full_px: int = Field(ge=1, le=MAX_PX)
    frame: Frame
    preprocessing: Preprocessing
    precision: Precision
    classes: tuple[str, ...] = Field(min_length=1)
    task: Literal["single_label", "multi_label"]
    hidden_units: int
    dropout: tuple[float, float]
    thresholds: dict[Literal["plain", "tta"], tuple[float, ...]] = {}
    temperatures: dict[Literal["plain", "tta"], FiniteAbove0] = Field(
        default={}, exclude_if=lambda value: not value
    )
    costs: tuple[tuple[Cost, ...], ...] = Field(default=(), exclude_if=lambda value: not value)
    params: dict[str, object]
    history: tuple[str, ...] = ()

    @field_validator("options")
    @classmethod
    def _known_options(cls, options: WrittenOptions) -> WrittenOptions:
        """Refuse what else timm would take, such as the path of another file of weights."""
        if unknown := sorted(options.keys() - BUILT_BY):
            raise ValueError(f"it is built by {', '.join(unknown)}, which headstart never sets")
        return options

    @model_validator(mode="after")
    def _costs_of_all_classes(self) -> Self:
        k = len(self.classes)
        if self.costs and [len(row) for row in self.costs] != [k] * k:
            raise ValueError(f"costs must be {k} rows of {k} numbers, for {k} classes")
        return self

    @property
    def temperature(self) -> float:
        """What calibrates the plain probabilities; 1 where nothing does."""
        return self.temperatures.get("plain", 1.0)


class Checkpoint(BaseModel):
    """Tensors by name (`head.*`, and `backbone.*` for a whole network) and the info about them."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    info: CheckpointInfo
    tensors: dict[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors below `prefix`, without it."""
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}

    def members(self) -> list["Checkpoint"]:
        """The networks of an ensemble, oldest first; of another kind the checkpoint itself."""
        if self.info.kind != "ensemble":
            return [self]
        numbers = sorted({int(name.split(".")[0]) for name in self.tensors})
        info = self.info.model_copy(update={"kind": "network"})
        return [Checkpoint(info=info, tensors=self.part(str(number))) for number in numbers]

    def states(self) -> list[dict[str, Tensor]]:
        """The tensors of each member.

        Raises:
            CheckpointError: an ensemble has no members.
        """
        found = [member.tensors for member in self.members()]
        if not found:
            raise CheckpointError(
                "the ensemble holds no network: predict_views.snapshots is true, so set "
                "unfreeze_finetune.n_snapshots to at least 1."
            )
        return found

    def as_scored(self, preprocessing: Preprocessing, precision: Precision) -> "Checkpoint":
        """The same checkpoint, which from now on predicts as it was just scored.

        Args:
            preprocessing: of the pictures it was scored on, at its size.
            precision: of the forward passes.
        """
        update = {"preprocessing": preprocessing, "precision": precision}
        return self.model_copy(update={"info": self.info.model_copy(update=update)})


@dataclass(frozen=True)
class Training:
    """What a training stage writes: a checkpoint, a table with a row for each epoch, and metrics."""

    checkpoint: Checkpoint
    epochs: pd.DataFrame
    metrics: dict[str, object]


def named_tensors(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A module's state under `prefix`, on the CPU, as `Checkpoint.tensors` wants it."""
    return {f"{prefix}.{k}": v.detach().cpu().contiguous() for k, v in state.items()}


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write under another name, then rename. The same tensors and info give the same bytes.

    Beside the info, the metadata hold the versions of the packages that shape results.

    Raises:
        TensorsError: a tensor holds numbers that are not finite; nothing is written.
    """
    text = json.dumps(checkpoint.info.model_dump(mode="json"), sort_keys=True)
    tensors = dict(sorted(checkpoint.tensors.items()))
    made_by = json.dumps(versions(), sort_keys=True)
    write_tensors(path, NamedTensors(tensors, {"headstart": text, "versions": made_by}))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint without running any code in the file.

    Raises:
        CheckpointError: the file is missing, not written by headstart, or of another format.
        DamagedError: a .safetensors file is damaged.
    """
    try:
        content = read_safetensors(path)
    except OSError as error:
        raise CheckpointError(f"{path} is no readable checkpoint: {error.strerror}.") from None
    except DamagedError as error:
        if path.suffix == ".safetensors":
            raise
        raise CheckpointError(f"{path} is no readable checkpoint: {error.why}.") from None
    info = _info(path, content.metadata.get("headstart"))
    numbered = all(name.partition(".")[0].isdecimal() for name in content.tensors)
    if info.kind == "ensemble" and not numbered:
        raise CheckpointError(f"{path} holds tensors of no network; {REMEDY}.")
    return Checkpoint(info=info, tensors=dict(content.tensors))


def _info(path: Path, text: str | None) -> CheckpointInfo:
    """The info in the metadata `text` of a file."""
    if text is None:
        raise CheckpointError(
            f"{path} is no checkpoint of headstart: name one such as "
            "data/4_checkpoints/model.safetensors."
        )
    try:
        written = _Written.model_validate_json(text).format
        if written == FORMAT:
            return CheckpointInfo.model_validate_json(text)
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]
        said = ": ".join(filter(None, [".".join(map(str, what["loc"])), what["msg"]]))
        raise CheckpointError(f"{path} has damaged metadata ({cut(said)}); {REMEDY}.") from None
    remedy = "run `dvc repro`, which writes it anew" if written < FORMAT else "update headstart"
    raise CheckpointError(
        f"{path} is a checkpoint of format {written}, but this headstart reads format {FORMAT}: "
        f"{remedy}."
    )


class _Written(BaseModel):
    """The part of the info that checkpoints of every format have."""

    format: int
