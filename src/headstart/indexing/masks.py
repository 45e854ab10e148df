"""Masks: pictures that mark a part of another picture, and lie among the pictures of a folder."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from headstart.project.short import listed

# Names of folders and ends of names of files; case, -, _, . and spaces do not count.
_IMAGES = {"image", "images", "img", "imgs", "jpegimages"}
_PICTURES = _IMAGES | {"picture", "pictures", "photo", "photos"}
_MASKS = {
    *("mask", "masks", "seg", "segmentation", "segmentations", "groundtruth", "groundtruths", "gt"),
    *("segmentationclass", "segmentationobject", "annotation", "annotations", "label", "labels"),
}
_ENDS = ("mask", "masks", "seg", "segmentation", "groundtruth", "ground_truth", "gt")
_NUMBER = "0123456789-_. "


@dataclass(frozen=True)
class Masks:
    """The masks among some pictures.

    Attributes:
        folders: the folders that hold nothing else.
        files: paths of the others, which lie beside their pictures.
        n: number of masks of each folder, for a sentence.
    """

    folders: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    n: Counter[str] = field(default_factory=Counter, compare=False)

    def __bool__(self) -> bool:
        return bool(self.folders or self.files)

    def __contains__(self, path: str) -> bool:
        return path in self.files or (bool(self.folders) and _folder(path) in self.folders)

    def note(self) -> str:
        """A sentence that names them."""
        named = listed(f"{where} ({n})" for where, n in sorted(self.n.items()))
        return (
            f"Masks of other pictures are left aside: {named}. If they are pictures of a class, give "
            "the folder or the files another name."
        )


NO_MASKS = Masks()


def masks_among(paths: Collection[str]) -> Masks:
    """Find folders such as `masks` beside `images`, and files such as `7_mask.png` beside `7.png`.

    Args:
        paths: of the pictures, with /.
    """
    of_pictures = {_folder(path) for path in paths}
    every = {above for folder in of_pictures for above in _with_those_above(folder)}
    beside = {_folder(folder) for folder in every if _plain(folder) in _PICTURES}
    tops = {folder for folder in every if _plain(folder) in _MASKS and _folder(folder) in beside}
    folders = frozenset(f for f in of_pictures if not tops.isdisjoint(_with_those_above(f)))
    of = {
        path: of_one
        for path in paths
        if (of_one := _of_picture(path)) and _folder(path) not in folders
    }
    stems = {path.rpartition(".")[0] for path in paths} if of else set()
    files = frozenset(path for path, picture in of.items() if picture in stems)
    n = Counter(folder for path in paths if (folder := _folder(path)) in folders)
    n.update(f"{_folder(path) or 'the top'}, beside their pictures" for path in files)
    return Masks(folders, files, n)


def is_of_pictures(folder: str) -> bool:
    """Whether a folder's name says only that pictures are in it, as `images` does."""
    return _plain(folder) in _IMAGES  # photos beside drawings may be a class


def _of_picture(path: str) -> str:
    """The path, without a suffix, of the picture that a file's name makes it the mask of, or ''."""
    stem = path.rpartition(".")[0].rstrip(_NUMBER)
    end = next((end for end in _ENDS if stem.lower().endswith(end)), "")
    picture = stem[: -len(end)] if end else ""
    return picture.rstrip("-_. ") if picture.endswith(tuple("-_. ")) else ""


def _folder(path: str) -> str:
    """The folder of a file or of a folder; '' at the top."""
    return path.rpartition("/")[0]


def _plain(folder: str) -> str:
    return re.sub(r"[-_. ]", "", folder.rpartition("/")[2].casefold())


def _with_those_above(folder: str) -> Iterable[str]:
    while folder:
        yield folder
        folder = _folder(folder)
