"""The stored pictures and the labels of the project in which a checkpoint lies."""

import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from headstart.exporting.forms import Pixels
from headstart.exporting.squares import squares
from headstart.labels.labels import Labels, read_labels
from headstart.network.checkpoints import CheckpointInfo
from headstart.pictures.resized import ResizedPictures
from headstart.project.errors import HeadstartError
from headstart.project.yaml_file import read_yaml

STAGE = "predict-views"  # it scores the checkpoint on the pictures that its options name


@dataclass(frozen=True)
class ProjectPictures:
    """What the stages of a project made of its pictures.

    Attributes:
        labels: of all pictures.
        resized: the stored pictures.
        info: of the checkpoint that was trained on them.
    """

    labels: Labels
    resized: ResizedPictures
    info: CheckpointInfo

    def squares(self, ids: list[str]) -> Pixels:
        """The input (N, S, S, 3) of the network for pictures; N is at least 1."""

        def stored(picture: str) -> bytes:
            data = self.resized.encoded(picture)
            for form in self.info.preprocessing.stored[1:]:  # smaller copies
                data = form.encode(data)
            return data

        return squares(map(stored, ids), self.info)


def project_pictures(checkpoint: Path, info: CheckpointInfo) -> ProjectPictures | None:
    """The pictures that the checkpoint was trained on, as far as they are there.

    The project is the nearest folder above the checkpoint that has a dvc.yaml. None: there is no
    project, its pictures are not computed, or they have another form or other classes.
    """
    folders = checkpoint.absolute().parents
    root = next((folder for folder in folders if (folder / "dvc.yaml").is_file()), None)
    if root is None:
        return None
    try:
        words = shlex.split(read_yaml(root / "dvc.yaml")["stages"][STAGE]["cmd"])
        paths = dict(pairwise(words))
        labels = read_labels(root / paths["--labels"])
        resized = ResizedPictures(root / paths["--resized"])
    except (KeyError, OSError, HeadstartError):
        return None
    if resized.history != info.preprocessing.stored[:1] or labels.classes != info.classes:
        return None
    return ProjectPictures(labels, resized, info)
