"""Which folder is the class of a picture, where class folders have folders of their own."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from headstart.indexing.layout import ClassFolder, Layout
from headstart.project.short import listed

N_LISTED = 60  # characters of names in a sentence
FEW_OTHERS = 0.05  # part of the pictures that may lie directly in the upper folders
_DATE = re.compile(r"(?:19|20)\d\d[-_. ]?(?:\d\d?[-_. ]?){0,2}")
# What stands before the number of a folder that is a part of the pictures, or a group of them.
_PARTS = {
    *("fold", "part", "batch", "split", "subset", "chunk", "set", "images", "image", "imgs", "img"),
    *("pictures", "photos", "data", "folder", "volume", "archive"),
}
_GROUPS = {
    *("patient", "pat", "p", "subject", "sub", "subj", "s", "person", "case", "animal", "session"),
    *("video", "vid", "clip", "seq", "sequence", "scene", "camera", "cam", "site", "slide", "day"),
}


class Nested(NamedTuple):
    """Folders in folders, either of which may be the classes.

    Attributes:
        upper: names of the folders that are nearest to the source, below train and valid; sorted.
        lower: names of the folders that hold the pictures; sorted, at least two.
    """

    upper: tuple[str, ...]
    lower: tuple[str, ...]

    def classes(self) -> ClassFolder | None:
        """Which of them are the classes, if their names tell: dates, folds and patients are none."""
        if len(self.upper) == 1:
            return "last"
        upper_may_be, lower_may_be = _may_be_classes(self.upper), _may_be_classes(self.lower)
        if upper_may_be == lower_may_be:
            return None
        return "first" if upper_may_be else "last"

    def others(self, classes: ClassFolder) -> tuple[str, ...]:
        """The names of those that are not the classes."""
        return self.lower if classes == "first" else self.upper


def are_parts(names: Collection[str]) -> bool:
    """Whether folders are numbered parts of the pictures that say nothing of them, or dates."""
    word = re.split("[-_. ]", _series(names) or "")[-1]
    return word in _PARTS or (len(names) > 0 and all(map(_DATE.fullmatch, names)))


def are_groups(names: Collection[str]) -> bool:
    """Whether folders are groups of pictures that belong together, such as patients."""
    return _series(names) in _GROUPS


def nested_folders(layout: Layout, paths: Iterable[str]) -> Nested | None:
    """The upper and lower folders of nearly all pictures of train; None where either are no choice.

    Args:
        layout: of the pictures.
        paths: of the pictures.
    """
    upper, lower, n_others, n = set[str](), set[str](), 0, 0
    for path in paths:
        split, folders = layout.class_folders(path)
        if not folders or split not in (None, "train"):
            continue
        n += 1
        upper.add(folders[0])
        if len(folders) > 1:
            lower.add(folders[-1])
        else:
            n_others += 1
    if len(lower) < 2 or n_others > FEW_OTHERS * n:
        return None
    return Nested(tuple(sorted(upper)), tuple(sorted(lower)))


def doubtful_classes(layout: Layout, paths: Collection[str]) -> tuple[str, ...]:
    """A sentence on class folders that may be no classes, or on those below them that may be some."""
    if layout.class_folder == "last":
        return ()
    if not (nested := nested_folders(layout, paths)):
        every = {folders[0] for path in paths if (folders := layout.parts(path)[1])}
        if len(every) < 2 or not are_parts(every):
            return ()
        return (
            f"Classes are the folders {listed(sorted(every), N_LISTED)}, which seem to be parts of one "
            "collection. If a table has the labels, set index_images.labels to it.",
        )
    if nested.classes() == "first":
        return ()
    return (
        f"Classes are the folders {listed(nested.upper, N_LISTED)}; those below them "
        f"({listed(nested.lower, N_LISTED)}) are not used. If those are the classes, set "
        "index_images.class_folder to last.",
    )


def _may_be_classes(names: Collection[str]) -> bool:
    """Whether folders are neither groups nor parts of the pictures."""
    return not are_parts(names) and not are_groups(names)


def _series(names: Collection[str]) -> str | None:
    """What all names have before their numbers, such as patient in Patient_007; None: they differ."""
    before = {re.sub(r"[-_. ]*\d+$", "", name).casefold() for name in names}
    numbered = all(name[-1].isdigit() for name in names)
    return before.pop() if len(before) == 1 and numbered else None
