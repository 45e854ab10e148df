"""A folder of pictures whose labels a person has corrected, in a form that can be trained on."""

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.labels.task import Task
from headstart.project.beside import written_beside
from headstart.project.errors import HeadstartError

TABLE, PICTURE = "labels.csv", "picture"
SUFFIX = {"jpeg": "jpg"}  # the other forms are called as their suffix


@dataclass(frozen=True)
class Corrections:
    """Where corrected pictures go.

    One label a picture: FOLDER/<class>/<digest>.jpg. Several: FOLDER/<digest>.jpg, with a row in
    FOLDER/labels.csv, which has a column of 0 and 1 for each class. `headstart init` reads either.

    Attributes:
        folder: made with the first picture.
        classes: that a picture may have.
        task: whether a picture has one label or several.
    """

    folder: Path
    classes: Sequence[str]
    task: Task

    def add(self, file: Path, digest: str, labels: Sequence[str]) -> Path:
        """Copy a picture into the folder, and return where it lies.

        The same picture again gets the new labels instead of its old ones.

        Args:
            file: the picture.
            digest: sha256 of its bytes, in hexadecimal digits.
            labels: what a person says of it.

        Raises:
            HeadstartError: a label is no class, one label is missing or too many, or a class cannot
                name a folder.
        """
        for label in labels:
            if label not in self.classes:
                raise HeadstartError(
                    f"{label!r} is no class of the network; they are {', '.join(self.classes)}."
                )
        name = f"{digest[:16]}.{_suffix(file)}"
        if self.task == "multi_label":
            target = self.folder / name
            _copy(file, target)
            self._write_row(name, labels)
            return target
        if len(labels) != 1:
            raise HeadstartError(f"{len(labels)} classes are named; a picture has one here.")
        target = self.folder / _folder_name(labels[0]) / name
        _copy(file, target)
        for other in self.folder.glob(f"*/{name}"):
            if other != target:
                other.unlink()
        return target

    def _write_row(self, name: str, labels: Sequence[str]) -> None:
        """Put the labels of a picture into the table, in place of earlier ones."""
        table, rows = self.folder / TABLE, {}
        if table.exists():
            with table.open(encoding="utf-8", newline="") as file:
                rows = {row[0]: row for row in list(csv.reader(file))[1:]}
        rows[name] = [name, *(str(int(label in labels)) for label in self.classes)]
        with written_beside(table) as new, new.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([[PICTURE, *self.classes], *rows.values()])


def _copy(file: Path, target: Path) -> None:
    with written_beside(target) as partial:
        shutil.copyfile(file, partial)


def _suffix(file: Path) -> str:
    """The suffix of a picture by its content."""
    with file.open("rb") as opened:
        form = form_of(opened.read(HEAD_BYTES))
    return SUFFIX.get(form, form or "img")


def _folder_name(label: str) -> str:
    if label.startswith(".") or "/" in label or "\\" in label:
        raise HeadstartError(f"The class {label!r} cannot name a folder, so no picture is kept.")
    return label
