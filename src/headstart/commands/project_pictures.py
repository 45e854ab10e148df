"""The stored pictures and the labels of the project in which a checkpoint lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headstart.exporting.pixels import Pixels
from headstart.exporting.squares import squares
from headstart.labels.labels import Labels, read_labels
from headstart.network.checkpoints import CheckpointInfo
from headstart.pictures.resized import ResizedPictures
from headstart.project.errors import HeadstartError
from headstart.use.results import PIPELINE, Project

STAGE = "predict-views"  # it scores the checkpoint on the pictures that its options name


@dataclass(frozen=True)
class ProjectPictures:
    """What the stages of a project made of its pictures.

    Attributes:
        labels: of all pictures that are stored.
        resized: the stored pictures.
        info: of the checkpoint that was trained on them.
    """

    labels: Labels
    resized: ResizedPictures
    info: CheckpointInfo

    def squares(self, ids: Sequence[str]) -> Pixels:
        """The input (N, S, S, 3) of the network for pictures; N is at least 1."""

        def stored(picture: str) -> bytes:
            data = self.resized.encoded(picture)
            for form in self.info.preprocessing.stored[1:]:  # smaller copies
                data = form.encode(data)
            return data

        return squares(map(stored, ids), self.info)

    def batches(self, ids: Sequence[str], size: int) -> Iterator[Pixels]:
        """The same in batches of `size`, one of which is in memory; the last may be smaller."""
        for first in range(0, len(ids), size):
            yield self.squares(ids[first : first + size])


def project_pictures(checkpoint: Path, info: CheckpointInfo) -> ProjectPictures | None:
    """The pictures that the checkpoint was trained on, as far as they are there.

    The project is the nearest folder above the checkpoint that has a dvc.yaml. None: there is no
    project, its pictures are not computed, or they have another form or other classes. Pictures that
    are indexed and not stored yet are left out.
    """
    folders = checkpoint.absolute().parents
    root = next((folder for folder in folders if (folder / PIPELINE).is_file()), None)
    if root is None:
        return None
    project = Project(root)
    try:
        labels = read_labels(project.file(STAGE, "--labels"))
        resized = ResizedPictures(project.file(STAGE, "--resized"))
    except (OSError, HeadstartError):
        return None
    if resized.history != info.preprocessing.stored[:1] or labels.classes != info.classes:
        return None
    stored = labels.table[labels.table["id"].isin(resized.ids)]
    return ProjectPictures(replace(labels, table=stored), resized, info)
