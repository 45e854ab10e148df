"""Classes whose names come out of files: their labels, and the names of their folders."""

import math

from headstart.image_files.safe_names import safe_name
from headstart.project.located import SourceError

NO_LABEL = -1
"""In place of a class's number, where classes are named: the picture has no label."""


def whole_label(label: float, has: str) -> int | None:
    """A class's number stored as a float, as pandas does where some are missing; None for NaN.

    Args:
        label: the float.
        has: begins the sentence of an error: where the label is from.

    Raises:
        SourceError: it is no whole number.
    """
    if math.isnan(label):
        return None
    if not label.is_integer():
        raise SourceError(
            f"{has} {label}, a float that is no whole number: write classes as text or whole numbers."
        )
    return int(label)


class ClassFolders:
    """Gives each class a folder of its own."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}  # by the name of their folder

    def above(self, split: str, name: str, where: str) -> str:
        """The folder of a picture, <split>/<class>; <split> where it has no class.

        Args:
            split: train, valid, test or another.
            name: of the class; '': none.
            where: the picture, for the sentence.

        Raises:
            SourceError: another class has that folder already.
        """
        folder = safe_name(name) if name else ""
        if (other := self._classes.setdefault(folder, name)) != name:
            raise SourceError(
                f"dataset.source: the classes {other!r} and {name!r} ({where}) would get one folder, "
                f"{folder!r}: rename one of them."
            )
        return f"{split}/{folder}" if folder else split
