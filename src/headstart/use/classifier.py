"""A trained network that classifies pictures, for Python and for `headstart predict`."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from headstart.backbone.device import Compute, RuntimeParams, forward_batch, prepare
from headstart.explaining.heat_maps import Heat, Looks, looks
from headstart.network.checkpoints import CheckpointInfo
from headstart.network.network import Network
from headstart.network.probabilities import probabilities
from headstart.network.restored import restored
from headstart.project.errors import HeadstartError
from headstart.scores.calibration import calibrated
from headstart.use.decisions import Decides, Prediction, Rule
from headstart.use.picture_files import Picture, PictureFiles
from headstart.use.saved_networks import differences, read_deciding
from headstart.views.inference import forward_passes, id_batches
from headstart.views.pictures import Pictures

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Classifier(Decides):
    """The network of a checkpoint, or the networks of an ensemble, ready to predict.

    It gives the plain probabilities that the pipeline measured, without test-time augmentation. They
    are calibrated by the temperature in the checkpoint; where it has none, they are the network's.

    Attributes:
        info: what the checkpoint says about itself.
        networks: in evaluation mode, on one device.
        differences: sentences about how this machine differs from the one that scored the checkpoint.
    """

    info: CheckpointInfo
    networks: Sequence[Network]
    differences: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load data/4_checkpoints/model.safetensors, or another checkpoint of a whole network.

        HEADSTART_DEVICE chooses the device (auto, cpu, cuda, cuda:1, mps). Where Pillow's version or
        the chip's precision is not that of the scores, a warning says so.

        Raises:
            CheckpointError: the file is missing or no checkpoint, holds a head alone, or has several
                labels a picture and no thresholds.
            HeadstartError: HEADSTART_DEVICE or HEADSTART_THREADS is malformed.
        """
        # `deterministic` would also hold for all else that a notebook computes
        machine = prepare(RuntimeParams(precision="auto", deterministic=False))
        classifier = cls.on(Path(path), machine)
        for sentence in classifier.differences:
            warnings.warn(sentence, stacklevel=2)
        return classifier

    @classmethod
    def on(cls, path: Path, machine: Compute) -> Self:
        """The same on a prepared machine, without warnings.

        Raises:
            CheckpointError: as `load`.
        """
        content = read_deciding(path)
        info = content.info
        compute = machine.predicting_in(info.precision)
        told = tuple(differences(path, info, compute))
        return cls(info, restored(content, path, compute), told)

    @cached_property
    def rule(self) -> Rule:
        """How probabilities decide: as the checkpoint says."""
        info = self.info
        return Rule(info.classes, info.task, info.thresholds.get("plain", ()), info.costs)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.networks[0].backbone.compute.device

    @property
    def batch_size(self) -> int:
        """Pictures of one forward pass."""
        return forward_batch(self.device)

    def each(self, pictures: Iterable[Picture], padded: bool = True) -> Iterator[Prediction]:
        """Yield the prediction of each picture, in their order; threads decode ahead of the network.

        A picture that cannot be read gets a prediction that says why.

        Args:
            pictures: N files, contents of files, or images, in the order of iteration.
            padded: whether a batch that is not full is filled, as the pipeline does: probabilities
                are then those that were measured to the last bit, and one picture takes as long as a
                full batch. Without it their last digits depend on the number of pictures.
        """
        files = PictureFiles(pictures, self.info.preprocessing)
        batches, shown = self._batches(files)
        passes = forward_passes(self._members, shown) if padded else map(self._pass, shown)
        for ids, logits in zip(batches, passes, strict=True):
            yield from self._said(files, ids, logits)

    def explained(self, pictures: Iterable[Picture]) -> Iterator[Prediction]:
        """As `each`, and each prediction says where the networks saw what is decided.

        `explaining.overlay.overlay(picture, heat, classifier.info.frame)` shows it.

        Raises:
            HeadstartError: a network has tokens, but none that could be laid over a picture.
        """
        files = PictureFiles(pictures, self.info.preprocessing)
        batches, shown = self._batches(files)
        for ids, seen in zip(batches, looks(self.networks, shown), strict=True):
            said = list(self._said(files, ids, seen.logits()))
            for one, heat in zip(said, self._heat(seen, said), strict=True):
                yield replace(one, heat=heat)

    def predict(self, pictures: Picture | Iterable[Picture], top: int = 3) -> "pd.DataFrame":
        """Classify pictures.

        Args:
            pictures: N files, contents of files (bytes) or Pillow images, or one of them; a column of
                a data frame counts in its order, whatever its index. An image counts as a file that
                keeps its pixels.
            top: how many of the likeliest classes have columns, from 1; K at most.

        Returns:
            N rows in the order of `pictures`. Columns: `picture` (the path, or `image 1` for the first
            if it has none); `class` (str), or `labels` (list of str) if pictures have several, both as
            `Classifier.labels` decides; `top_1`, `p_1`, `top_2`, ... (the likeliest classes and their
            probabilities); `problem` (why a picture cannot be read, else empty). Where there is no
            picture, labels is empty, and class, top and p are missing values.

        Raises:
            HeadstartError: `top` is below 1.
        """
        import pandas as pd

        if top < 1:
            raise HeadstartError(f"top is {top}; it must be at least 1.")
        given: list[Picture] = [pictures] if isinstance(pictures, Picture) else list(pictures)
        n = min(top, len(self.classes))
        names = [f"{name}_{place}" for place in range(1, n + 1) for name in ("top", "p")]
        rows = [
            [_name(given[said.number], said.number), *self._cells(said, n), said.problem]
            for said in self.each(given)
        ]
        return pd.DataFrame(rows, columns=["picture", self.decided, *names, "problem"])

    def _batches(self, files: PictureFiles) -> tuple[list[Sequence[str]], Iterator[Tensor]]:
        """The ids of each batch, and the plain views (B, 3, S, S)."""
        batches = id_batches(files.ids, self.device)
        pictures = Pictures.of(files, self.info.size_px, self.info.frame, self.device)
        return batches, pictures.plain(batches)

    def _said(
        self, files: PictureFiles, ids: Iterable[str], logits: NDArray[np.float32]
    ) -> Iterator[Prediction]:
        """The predictions of a batch from the logits (B, M, K) of the M networks."""
        of_members = torch.from_numpy(logits).transpose(0, 1)  # (B, M, K) -> (M, B, K)
        mean = probabilities(of_members, self.info.task).mean(axis=0)  # of an ensemble
        rows = calibrated(mean, self.info.temperature, self.info.task)
        for picture, row in zip(ids, rows, strict=True):
            problem = files.problems.get(picture, "")
            yield Prediction(int(picture), row[:0] if problem else row, problem)

    def _heat(self, seen: Looks, said: Sequence[Prediction]) -> list[dict[str, Heat]]:
        """The heat map of each label that the predictions of a batch decide."""
        found: list[dict[str, Heat]] = [{} for _ in said]
        # the first label of each picture, then the second, ...; where there is none, any is asked
        for asked in zip_longest(*(self.numbers(one.probabilities) for one in said)):
            maps = seen.heat([number or 0 for number in asked])
            for labels, number, heat in zip(found, asked, maps, strict=True):
                if number is not None:
                    labels[self.classes[number]] = heat
        return found

    def _members(self, batch: Tensor) -> Tensor:
        """The logits (B, M, K) that each of the M networks gives a batch (B, 3, S, S)."""
        return torch.stack([network(batch) for network in self.networks], dim=1)

    def _pass(self, batch: Tensor) -> NDArray[np.float32]:
        """The logits (B, M, K) of a batch (B, 3, S, S) of any size."""
        with torch.inference_mode():
            return self._members(batch).float().cpu().numpy()

    def _cells(self, said: Prediction, n: int) -> list[object]:
        """What is decided, and the n likeliest classes, each before its probability."""
        several = self.info.task == "multi_label"
        if said.problem:
            return [[] if several else None, *([None, np.nan] * n)]
        labels = self.labels(said.probabilities)
        top = [cell for pair in self.likeliest(said.probabilities, n) for cell in pair]
        return [labels if several else labels[0], *top]


def _name(picture: Picture, number: int) -> str:
    """The path of a picture; without a file it has a number."""
    if isinstance(picture, bytes | Image.Image):
        return str(getattr(picture, "filename", "") or f"image {number + 1}")
    return str(picture)
