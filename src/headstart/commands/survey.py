"""What a folder of pictures holds, found by looking at file headers, sizes and folders."""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.image_files.split_names import split_named
from headstart.image_files.tree import list_tree
from headstart.indexing.layout import Layout, layout_of
from headstart.pictures.facts import why_unreadable
from headstart.pictures.names import is_picture
from headstart.pictures.plugins import register_plugins
from headstart.project.workers import in_order

TURNED = {5, 6, 7, 8}  # EXIF orientations that exchange width and height


class Look(NamedTuple):
    """What the header of one file says; `problem` is empty if it is a picture.

    Attributes:
        width, height: of the upright picture, px.
        mode: of Pillow, such as RGB, L, CMYK.
        problem: why it is no picture.
    """

    width: int = 0
    height: int = 0
    mode: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        root: the folder.
        layout: how its folders are read.
        paths: of the files that are pictures, relative to `root`, with /.
        classes: pictures of each class folder, the largest first; with split folders, those of train.
        splits: pictures of each split; empty if the folders are no splits.
        short_px: 5 %, 50 % and 95 % quantile of the shorter side, px.
        aspect: the same of longer side by shorter side.
        modes: pictures of each of Pillow's modes.
        unreadable: (path, reason) of files that should be pictures.
        copies: groups of files with the same content.
        others: files of each suffix that are no pictures; hidden ones do not count.
        tables: paths of files that may hold labels; they lie beside or around the pictures' folders, or
            in the split folders themselves.
        in_parquet: whether the pictures are rows of Parquet files; `paths` are those that they get.
        archive: that the pictures were unpacked from, into `root`, for as long as the look took.
        seconds: that the look took.
    """

    root: Path
    layout: Layout
    paths: Sequence[str]
    classes: Mapping[str, int]
    splits: Mapping[str, int]
    short_px: tuple[int, int, int]
    aspect: tuple[float, float, float]
    modes: Mapping[str, int]
    unreadable: Sequence[tuple[str, str]]
    copies: Sequence[tuple[str, ...]]
    others: Mapping[str, int]
    tables: Sequence[str] = ()
    in_parquet: bool = False
    archive: Path | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def origin(self) -> Path:
        """The folder or archive that the user named."""
        return self.archive or self.root


Progress = Callable[[Iterable[Look | None], int], Iterator[Look | None]]
TABLES = {".csv", ".tsv", ".txt", ".jsonl", ".parquet"}


def survey(root: Path, progress: Progress) -> Survey:
    """Look at every file below `root`; pictures are not decoded, so that it takes seconds.

    Args:
        root: the folder.
        progress: passes the looks through, and shows how many of how many are done.

    Raises:
        HeadstartError: there is no such folder, or its files cannot be listed.
    """
    start = time.perf_counter()
    tree = list_tree(root)
    register_plugins()
    looked = progress(in_order(partial(_look, root), tree.sizes), len(tree.sizes))
    looks = {path: look for path, look in zip(tree.sizes, looked, strict=True) if look}
    good = [path for path, look in looks.items() if not look.problem]
    others = Counter(_suffix(path) or "no suffix" for path in tree.sizes if path not in looks)
    wrapping = layout_of(good).wrapping
    return summed_up(
        root, looks, start,
        copies=_copies(root, {path: tree.sizes[path] for path in good}),
        others=dict(others.most_common()),
        tables=[path for path in tree.sizes if _is_table(path, wrapping)],
    )  # fmt: skip


def summed_up(
    root: Path, looks: Mapping[str, Look], start: float, copies: Sequence[tuple[str, ...]],
    others: Mapping[str, int], tables: Sequence[str] = (), in_parquet: bool = False,
) -> Survey:  # fmt: skip
    """The findings from a look at each picture.

    Args:
        looks: by path, in the order of the paths.
        start: when the look began, by time.perf_counter, s.
        root, copies, others, tables, in_parquet: as `Survey` has them.
    """
    good = {path: look for path, look in looks.items() if not look.problem}
    layout = layout_of(good)
    classes: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for path in good:
        split, folders = layout.parts(path)
        if folders is None:
            continue
        if split:
            splits[split] += 1
        if folders and split in (None, "train"):
            classes[folders[0]] += 1
    sides = np.array(
        [(look.width, look.height) for look in good.values()] or [(1, 1)], dtype=np.float64
    )
    short, long = sides.min(axis=1), sides.max(axis=1)
    return Survey(
        root, layout, list(good),
        classes=dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))),
        splits=dict(splits),
        short_px=_whole(_quantiles(short)), aspect=_quantiles(long / short),
        modes=dict(Counter(look.mode for look in good.values()).most_common()),
        unreadable=[(path, look.problem) for path, look in looks.items() if look.problem],
        copies=copies, others=others, tables=tables, in_parquet=in_parquet,
        seconds=time.perf_counter() - start,
    )  # fmt: skip


def _look(root: Path, path: str) -> Look | None:
    """What the header of a file says; None if it is no picture."""
    try:
        with (root / path).open("rb") as file:
            return look_at(file) if is_picture(path, form_of(file.read(HEAD_BYTES))) else None
    except OSError as error:
        return Look(problem=why_unreadable(error, b"")[1])


def look_at(file: IO[bytes]) -> Look:
    """What the header of an opened picture says; `register_plugins` comes before the first."""
    head = b""
    try:
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if not head:
            return Look(problem="the file is empty")
        file.seek(0)
        with Image.open(file) as image:
            width, height = image.size
            if image.getexif().get(0x0112) in TURNED:
                width, height = height, width
            return Look(width, height, image.mode)
    except Exception as error:  # each of Pillow's decoders has its own ways to fail
        return Look(problem=why_unreadable(error, head)[1])


def _copies(root: Path, sizes: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Groups of files with the same bytes; only files of equal size are read."""
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    for path, n_bytes in sizes.items():
        by_size[n_bytes].append(path)
    by_content: defaultdict[tuple[int, bytes], list[str]] = defaultdict(list)
    for n_bytes, paths in by_size.items():
        for path in paths if len(paths) > 1 else ():
            digest = hashlib.sha256((root / path).read_bytes()).digest()
            by_content[n_bytes, digest].append(path)
    return [tuple(paths) for paths in by_content.values() if len(paths) > 1]


def _quantiles(values: NDArray[np.float64]) -> tuple[float, float, float]:
    low, middle, high = (round(float(q), 2) for q in np.quantile(values, (0.05, 0.5, 0.95)))
    return low, middle, high


def _is_table(path: str, wrapping: Sequence[str]) -> bool:
    *folders, _ = path.split("/")
    if _suffix(path) not in TABLES:
        return False
    if len(folders) <= len(wrapping):
        return folders == list(wrapping[: len(folders)])
    # in a split folder, where each picture may have a .txt of its own
    *above, last = folders
    return above == list(wrapping) and split_named(last) is not None and _suffix(path) != ".txt"


def _whole(values: tuple[float, float, float]) -> tuple[int, int, int]:
    low, middle, high = values
    return round(low), round(middle), round(high)


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()
