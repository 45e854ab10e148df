"""The pictures of `headstart predict --explain`: each under the heat map of what was decided."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from headstart.commands.output_place import output_place
from headstart.image_files.safe_names import safe_name
from headstart.pictures.rgb import decode_rgb
from headstart.project.workers import in_order

if TYPE_CHECKING:
    from headstart.backbone.frame import Frame
    from headstart.commands.named_pictures import NamedPicture
    from headstart.commands.prediction_outputs import Result
    from headstart.explaining.heat_maps import Heat
    from headstart.use.classifier import Classifier

LONGER_PX = 1024  # of a written picture; a smaller one keeps its size
QUALITY = 90
MARK = "headstart heat map"  # with the label, in a JPEG's comment


class _Job(NamedTuple):
    """A JPEG to write: the picture in `file` under `heat`, of what speaks for `label`."""

    to: Path
    file: Path
    label: str
    heat: "Heat"
    frame: "Frame"


class HeatPictures:
    """Writes a JPEG for each picture, or for each of its labels, into a folder.

    Attributes:
        n: JPEGs written.
        n_empty: of them, those where nothing speaks for what was decided.
    """

    def __init__(
        self, classifier: "Classifier", folder: Path, named: "Sequence[NamedPicture]"
    ) -> None:
        """Make the folder.

        Args:
            classifier: what decides.
            folder: made if need be. Its heat maps are replaced, other files are not.
            named: all pictures that may come, from which the names of the JPEGs follow.

        Raises:
            OSError: the folder cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._frame = folder, classifier.info.frame
        names = [one.name for one in named]
        self._places = dict(zip(names, places(names), strict=True))
        self._ends = _ends(classifier)
        self._written, self._taken = set[tuple[str, str]](), set[Path]()
        self.n = self.n_empty = 0

    def write(self, results: "Sequence[Result]") -> None:
        """Write the JPEGs of a batch; several threads draw them."""
        for empty in in_order(_draw, [job for result in results for job in self._jobs(result)]):
            self.n += 1
            self.n_empty += empty

    def said(self) -> str:
        """What was written, and where."""
        return told(self._folder, self.n, self.n_empty)

    def _jobs(self, result: "Result") -> list[_Job]:
        """The JPEGs of one picture; none if the user named it before."""
        jobs = []
        for label, heat in result.heat.items():
            if (result.name, label) not in self._written:
                self._written.add((result.name, label))
                to = self._free(f"{self._places[result.name]}{self._ends[label]}")
                jobs.append(_Job(to, result.file, label, heat, self._frame))
        return jobs

    def _free(self, place: str) -> Path:
        """A path that is neither a file of the user's nor another picture's."""
        numbered = (f"{place}-heat-{number}" for number in count(2))
        paths = (self._folder / f"{name}.jpg" for name in chain([place, f"{place}-heat"], numbered))
        path = next(
            path
            for path in paths
            if path not in self._taken and (not path.exists() or is_heat_map(path))
        )
        self._taken.add(path)
        return path


def told(folder: Path, n: int, n_empty: int) -> str:
    """The sentence about n heat maps in a folder, some of which show nothing."""
    maps = "1 heat map" if n == 1 else f"{n} heat maps"
    nothing = f"; in {n_empty} of them nothing speaks for the class" if n_empty else ""
    return f"{folder}: {maps}{nothing}."


def places(names: Sequence[str]) -> list[str]:
    """A path without suffix for each named picture, by which no two get one file.

    It is the file's name; if two files have one name, its folders are kept; if two files of a folder
    do, its suffix too.

    Args:
        names: paths, relative to the current folder or absolute.
    """
    # without `..`, by which a name would leave the folder, but with the names of links
    paths = [Path(os.path.abspath(name)) for name in names]  # noqa: PTH100
    above = os.path.commonpath([path.parent for path in paths]) if paths else ""
    ways: list[Callable[[Path], str]] = [
        lambda path: path.stem,
        lambda path: str(path.relative_to(above).with_suffix("")),
    ]
    n_pictures = len(set(paths))
    for way in ways:
        found = [way(path) for path in paths]
        if len({name.casefold() for name in found}) == n_pictures:
            return found
    return [str(path.relative_to(above)) for path in paths]


def is_heat_map(file: Path) -> bool:
    """Whether a file is a JPEG that this module wrote."""
    try:
        with Image.open(file) as image:
            comment = image.info.get("comment", b"")
    except Exception:  # no picture, or one that Pillow cannot open
        return False
    return isinstance(comment, bytes) and comment.startswith(MARK.encode())


def without_heat_maps(named: "Sequence[NamedPicture]", folder: Path) -> "list[NamedPicture]":
    """The named pictures but the heat maps that an earlier call wrote into `folder`."""
    inside = folder.resolve()
    return [
        one
        for one in named
        if not (one.file.resolve().is_relative_to(inside) and is_heat_map(one.file))
    ]


def _ends(classifier: "Classifier") -> dict[str, str]:
    """What the name of a JPEG ends in, by label: nothing where a picture has one class."""
    if classifier.decided == "class":
        return dict.fromkeys(classifier.classes, "")
    safe = [safe_name(label) for label in classifier.classes]
    n = Counter(safe)
    return {
        label: f".{name}" if n[name] == 1 else f".{name}_{number}"
        for number, (label, name) in enumerate(zip(classifier.classes, safe, strict=True))
    }


def _draw(job: _Job) -> bool:
    """Write one JPEG; whether nothing in the picture speaks for the label."""
    from headstart.explaining.overlay import overlay

    picture = decode_rgb(job.file.read_bytes(), LONGER_PX // 2)
    picture.thumbnail((LONGER_PX, LONGER_PX))
    shown = overlay(picture, job.heat, job.frame)
    with output_place(job.to) as partial:
        shown.save(partial, "JPEG", quality=QUALITY, comment=f"{MARK}: {job.label}".encode())
    return not job.heat.any()
