"""A folder of pictures whose labels a person has corrected, in a form that can be trained on."""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.labels.task import Task
from headstart.project.beside import written_beside
from headstart.project.errors import HeadstartError
from headstart.project.short import cut, first_line, listed
from headstart.project.special_files import refuse_special

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

        The same picture again gets the new labels instead of its old ones. What raises keeps nothing.

        Args:
            file: the picture.
            digest: sha256 of its bytes, in hexadecimal digits.
            labels: what a person says of it.

        Raises:
            HeadstartError: a label is no class, one label is missing or too many, a class cannot name
                a folder, or the folder has a table that is not one of pictures of these classes.
            OSError: the system refuses to read or write.
        """
        for label in labels:
            if label not in self.classes:
                raise HeadstartError(
                    f"{label!r} is no class of the network; they are {', '.join(self.classes)}."
                )
        name = f"{digest[:16]}.{_suffix(file)}"
        if self.task == "multi_label":
            return self._add_row(file, name, labels)
        if len(labels) != 1:
            raise HeadstartError(f"{len(labels)} classes are named; a picture has one here.")
        target = self.folder / _folder_name(labels[0]) / name
        _copy(file, target)
        for other in self.folder.glob(f"*/{name}"):
            if other != target:
                other.unlink()
        return target

    def _add_row(self, file: Path, name: str, labels: Sequence[str]) -> Path:
        """Copy a picture, and put its labels into the table, in place of earlier ones."""
        target, table = self.folder / name, self.folder / TABLE
        rows = self._rows(table)
        rows[name] = [str(int(label in labels)) for label in self.classes]
        with written_beside(table) as new:
            with new.open("w", encoding="utf-8", newline="") as opened:
                writer = csv.writer(opened)
                writer.writerow([PICTURE, *self.classes])
                writer.writerows([picture, *cells] for picture, cells in rows.items())
            _copy(file, target)  # the table is replaced after it: no row lacks its picture
        return target

    def _rows(self, table: Path) -> dict[str, list[str]]:
        """The cells of the pictures that were kept before, in the order of the classes.

        A class that the table does not have is 0 for them.

        Raises:
            HeadstartError: the table has other columns than pictures of these classes.
        """
        (_, header), *lines = _lines(table) or [(0, [PICTURE, *self.classes])]
        if problem := self._unfit(header):
            raise _refused(table, problem)
        rows = {}
        for number, cells in lines:
            if len(cells) != len(header):
                raise _refused(
                    table, f"has {len(cells)} cells in line {number}, but {len(header)} columns"
                )
            cell_of = dict(zip(header[1:], cells[1:], strict=True))
            rows[cells[0]] = [cell_of.get(name, "0") for name in self.classes]
        return rows

    def _unfit(self, header: Sequence[str]) -> str:
        """Why a table with these columns is none of kept pictures; empty if it is one."""
        first, *names = header
        if first != PICTURE or not names:
            return (
                f"has the columns {listed(header)}, but a table of kept pictures has {PICTURE} and "
                "then classes of the network"
            )
        for place, name in enumerate(names):
            if name not in self.classes:
                return (
                    f"has the column {cut(name)!r}, which is no class of the network; they are "
                    f"{listed(self.classes)}"
                )
            if name in names[:place]:
                return f"has the column {cut(name)!r} twice"
        return ""


def _lines(table: Path) -> list[tuple[int, list[str]]]:
    """The lines of a table that are not empty, with their numbers; none if there is no table."""
    if not table.exists():
        return []
    refuse_special(table)
    try:
        text = table.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise _refused(table, f"is not UTF-8 (byte 0x{error.object[error.start]:02x})") from None
    except csv.Error as error:
        raise _refused(table, f"is no CSV ({first_line(error)})") from None


def _refused(table: Path, why: str) -> HeadstartError:
    return HeadstartError(
        f"{table} {why}. The picture is not kept: name another folder with --keep, or mend the table."
    )


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
