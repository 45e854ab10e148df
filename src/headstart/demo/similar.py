"""The pictures of train that resemble a new picture, by the frozen backbone's activations."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.activations.frozen import FrozenBackbone
from headstart.activations.stored import Activations, Manifest, read_activations
from headstart.backbone.backbone import load_backbone
from headstart.backbone.device import Compute
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import CheckpointInfo
from headstart.pictures.resized import ResizedPictures
from headstart.project.errors import HeadstartError
from headstart.project.report import Silent
from headstart.project.short import listed
from headstart.use.picture_files import PictureFiles
from headstart.use.results import Project
from headstart.views.pictures import Pictures

N_ROWS = 4096  # features that are in memory at a time


class Similar(NamedTuple):
    """A labelled picture of train.

    Attributes:
        path: of its file, relative to the folder of pictures.
        labels: one class, or the labels of several.
        cosine: of its features and those of the new picture, in [-1, 1].
        picture: as it is stored, RGB.
    """

    path: str
    labels: tuple[str, ...]
    cosine: float
    picture: Image.Image


@dataclass(frozen=True)
class TrainPictures:
    """The labelled pictures of train in a project whose stages have run.

    Attributes:
        cached: of the plain view, of all pictures.
        frozen: the backbone that computed them.
        rows: (M) row numbers in `cached` of the pictures of train.
        paths: (M) of their files.
        labels: (M) of the pictures.
        stored: decodes them.
    """

    cached: Activations
    frozen: FrozenBackbone
    rows: NDArray[np.int64]
    paths: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    stored: ResizedPictures

    @classmethod
    def of(cls, project: Project, info: CheckpointInfo, machine: Compute) -> Self:
        """Open the cached activations and the backbone that computed them.

        Args:
            project: whose train pictures are shown.
            info: of the network that the page asks.
            machine: computes the features of a new picture.

        Raises:
            HeadstartError: the folder is no project, or not the one in which the network was trained;
                a stage has not run, or not since the pictures changed; the backbone is not the one
                of the activations; or no picture of train is labelled.
        """
        stage = "precompute-activations"
        cached = read_activations(project.file(stage, "--activations")).first()
        about = cached.manifest
        _require_own(project, about, info)
        weights = project.file(stage, "--weights")
        backbone = load_backbone(weights).on(machine.predicting_in(about.precision))
        if backbone.digest != about.weights:
            raise HeadstartError(
                f"{weights} has other weights than the cached activations: run `dvc repro {stage}`."
            )
        table = project.activations("plain").rows
        chosen = (table["split"] == "train") & table["labels"].notna()
        if not chosen.any():
            raise HeadstartError(f"{project.root} has no labelled picture of train.")
        stored = _stored(project, table["id"][chosen])
        pictures = _pictures([], cached, machine)
        return cls(
            cached,
            FrozenBackbone(backbone, pictures, Silent()),
            np.flatnonzero(chosen),
            tuple(table["path"][chosen]),
            tuple(tuple(labels) for labels in table["labels"][chosen]),
            stored,
        )

    def like(self, file: Path, n: int) -> list[Similar]:
        """The `n` pictures of train whose features have the largest cosine with those of `file`.

        Args:
            file: a picture that can be read.
            n: how many, at least 1; fewer come back if train is smaller.
        """
        frozen = self.frozen
        pictures = _pictures([file], self.cached, frozen.backbone.compute)
        (query,) = FrozenBackbone(frozen.backbone, pictures, Silent()).features(["0"], None, "")
        cosines = np.concatenate(
            [
                _cosines(self.cached.features[0, self.rows[first : first + N_ROWS]], query)
                for first in range(0, len(self.rows), N_ROWS)
            ]
        )
        best = np.argsort(-cosines, kind="stable")[:n]
        ids = self.cached.ids
        return [
            Similar(
                self.paths[k],
                self.labels[k],
                float(cosines[k]),
                self.stored.decode(ids[int(self.rows[k])]),
            )
            for k in best.tolist()
        ]


def _require_own(project: Project, about: Manifest, info: CheckpointInfo) -> None:
    """Refuse a project in which the network was not trained.

    Args:
        project: whose classes are compared.
        about: its cached activations. Their size may be another one than the network's, because
            training goes on at larger sizes.
        info: of the network.

    Raises:
        HeadstartError: its classes, its backbone, or the form of its stored pictures are others.
    """
    classes = read_labels(project.file("index-images", "--labels")).classes
    others = {
        f"classes ({listed(classes)})": classes != info.classes,
        "weights of the backbone": about.weights != info.weights,
        "stored pictures": about.preprocessing.stored[:1] != info.preprocessing.stored[:1],
    }
    if found := [name for name, differs in others.items() if differs]:
        raise HeadstartError(
            f"{Path(project.root).resolve()} has other {' and other '.join(found)} than the network "
            "was trained with: run the command in the folder of its own project."
        )


def _stored(project: Project, ids: Iterable[str]) -> ResizedPictures:
    """The stored pictures of a project.

    Raises:
        HeadstartError: one of `ids` is not among them.
    """
    folder = project.file("resize", "--resized")
    stored = ResizedPictures(folder)
    wanted = set(ids)
    if missing := sorted(wanted - set(stored.ids)):
        raise HeadstartError(
            f"{folder} lacks {len(missing)} of {len(wanted)} pictures of train, such as "
            f"{missing[0]!r}: run `dvc repro resize`."
        )
    return stored


def _pictures(files: list[Path], cached: Activations, machine: Compute) -> Pictures:
    """The plain view of files, made as that of the cached pictures was."""
    about = cached.manifest
    source = PictureFiles(files, about.preprocessing)
    return Pictures.of(source, about.size_px, about.frame, machine.device)


def _cosines(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines (N) of the rows (N, D) with a vector (D); 0 where a row has no length."""
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    cosines = np.zeros(len(rows), np.float32)
    np.divide(rows @ query, lengths, out=cosines, where=lengths > 0)
    return cosines
