"""What the folders above the pictures mean: splits under their usual names, and wrapping folders."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.image_files.split_names import SplitName, split_named
from headstart.indexing.masks import NO_MASKS, Masks, is_of_pictures, masks_among
from headstart.project.errors import HeadstartError

INIT = "let `headstart init` write params.yaml"

ClassFolder = Literal["first", "last"]


@dataclass(frozen=True)
class Layout:
    """How the folders of a source are read.

    Attributes:
        wrapping: the folders around everything, from the source down; () where there are none.
        splits: top folder below `wrapping` -> split. Empty: the pictures are not split by folders.
            Without train among them, a test folder beside class folders, which are yet to be split.
        aside: other top folders beside the splits -> number of their pictures, which are not used.
        inside: the split folders that hold a folder such as `images` alone, which is passed through.
        masks: pictures that are not used, because they mark a part of another one.
        class_folder: which folder names the class: the first, nearest to the source, or the last,
            which holds the picture.
    """

    wrapping: tuple[str, ...]
    splits: Mapping[str, SplitName]
    aside: Mapping[str, int]
    inside: frozenset[str] = frozenset()
    masks: Masks = NO_MASKS
    class_folder: ClassFolder = "first"

    def parts(self, path: str) -> tuple[SplitName | None, list[str] | None]:
        """The split of a picture, and the folders above it, of which the first names its class.

        The split is None where no folder gives one. The folders are None where the picture is a mask,
        or lies in no split although there is train.
        """
        split, folders = self.class_folders(path)
        return split, folders[-1:] if folders and self.class_folder == "last" else folders

    def class_folders(self, path: str) -> tuple[SplitName | None, list[str] | None]:
        """As `parts`, with all folders that may name the class; `images` below another is none."""
        if path in self.masks:
            return None, None
        folders = path.split("/")[len(self.wrapping) : -1]
        if folders and folders[0] in self.splits:
            above = 2 if folders[0] in self.inside else 1
            return self.splits[folders[0]], _without_images(folders[above:])
        return None, None if self.has_train() else _without_images(folders)

    def has_train(self) -> bool:
        """Whether a folder is train."""
        return "train" in self.splits.values()

    def split_of(self, path: str) -> SplitName | None:
        """The split that the first folder below `wrapping` is named like, whatever lies beside it."""
        folders = path.split("/")[len(self.wrapping) : -1]
        return split_named(folders[0]) if folders else None

    def is_aside(self, path: str) -> bool:
        """Whether the picture is a mask, or lies in a folder beside the splits."""
        folders = path.split("/")[len(self.wrapping) : -1]
        return path in self.masks or (bool(folders) and folders[0] in self.aside)

    def notes(self) -> tuple[str, ...]:
        """Sentences on whatever was read in another way than its name says, or not used."""
        notes = []
        if self.wrapping:
            notes.append(
                f"The pictures lie in the folder {'/'.join(self.wrapping)}, which is no class."
            )
        renamed = [
            f"{name} is read as {split}" for name, split in self.splits.items() if name != split
        ]
        if self.splits and not self.has_train():
            notes.append(
                f"The folder {' and '.join(self.splits)} beside class folders is read as test, because "
                "its pictures lie in no class folder. If it is a class, give it another name."
            )
        elif renamed:
            notes.append(f"Folder {', '.join(renamed)}.")
        if self.aside:
            listed = ", ".join(f"{name} ({n})" for name, n in self.aside.items())
            notes.append(
                f"Folders beside the splits are left aside, with their pictures: {listed}."
            )
        if self.masks:
            notes.append(self.masks.note())
        return tuple(notes)


def layout_of(
    paths: Iterable[str], given: bool = False, class_folder: ClassFolder = "first"
) -> Layout:
    """Find masks, wrapping folders and split folders.

    A folder around everything is passed through, unless it is itself named like a split. Top folders
    are splits if one is named like train, and another like valid or test or nothing lies beside it: a
    single folder `train` beside `bus` is a class. Without train and valid, a folder like test is test
    if it has no folders, and at least two other folders are the classes.

    Args:
        paths: of the pictures, relative to the source, with /.
        given: whether the folders are known to be splits, so that a folder like train is enough.
        class_folder: as `Layout` has it.
    """
    paths = list(paths)
    masks = masks_among(paths)
    parts = [path.split("/") for path in paths if path not in masks]
    wrapping: list[str] = []
    while (top := _only_folder(parts, len(wrapping))) and split_named(top) is None:
        wrapping.append(top)
    depth = len(wrapping)
    n_pictures = Counter(of_one[depth] for of_one in parts if len(of_one) > depth + 1)
    splits = {top: split for top in sorted(n_pictures) if (split := split_named(top))}
    names = set(splits.values())
    if names == {"test"} and not given:
        is_flat = not any(of_one[depth] in splits and len(of_one) > depth + 2 for of_one in parts)
        is_test = is_flat and len(n_pictures) - len(splits) >= 2
        splits = splits if is_test else {}
    elif "train" not in names or not (given or len(names) > 1 or len(splits) == len(n_pictures)):
        splits = {}
    has_train = "train" in splits.values()
    return Layout(
        tuple(wrapping),
        splits,
        {top: n for top, n in sorted(n_pictures.items()) if has_train and top not in splits},
        frozenset(top for top in splits if _holds_images_alone(parts, depth, top)),
        masks,
        class_folder,
    )


def _without_images(folders: list[str]) -> list[str]:
    return [name for n, name in enumerate(folders) if n == 0 or not is_of_pictures(name)]


def _holds_images_alone(parts: Iterable[Sequence[str]], depth: int, split: str) -> bool:
    """Whether all pictures of a split folder lie in one folder `images`."""
    inside = {of_one[depth + 1] if len(of_one) > depth + 2 else ""
              for of_one in parts if len(of_one) > depth + 1 and of_one[depth] == split}  # fmt: skip
    return len(inside) == 1 and is_of_pictures(inside.pop())


def _only_folder(parts: Sequence[Sequence[str]], depth: int) -> str | None:
    """The folder at this depth that holds all pictures, if it has folders of its own."""
    tops = {of_one[depth] for of_one in parts if len(of_one) > depth + 1}
    is_only = len(tops) == 1 and all(len(of_one) > depth + 1 for of_one in parts)
    has_folders = any(len(of_one) > depth + 2 for of_one in parts)
    return tops.pop() if is_only and has_folders else None


def checked_layout(
    paths: Iterable[str], split: Literal["given", "stratified"], class_folder: ClassFolder = "first"
) -> Layout:
    """The layout of the pictures, which must fit `index_images.split`.

    With `stratified`, pictures in a folder train are drawn into train and valid, and those in a folder
    test stay test.

    Raises:
        HeadstartError: `split` is given but no folder is named train; or it is stratified but there is
            a folder valid.
    """
    paths = list(paths)
    layout = layout_of(paths, split == "given", class_folder)
    if split == "given" and not layout.splits:
        tops = sorted({path.split("/")[0] for path in paths if "/" in path})
        raise HeadstartError(
            "index_images.split is given, but the pictures have no folder train/ (they have "
            f"{', '.join(tops) or 'none'}); if these are class folders, set it to stratified, or "
            f"{INIT}."
        )
    if split == "stratified" and "valid" in layout.splits.values():
        read = ", ".join(f"{name} as {of}" for name, of in layout.splits.items())
        raise HeadstartError(
            "index_images.split is stratified, but the pictures are already split into folders "
            f"({read}): set it to given, or {INIT}."
        )
    return layout
