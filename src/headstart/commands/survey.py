"""What a folder of pictures holds, found by looking at folders, headers and small decoded pictures."""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from headstart.commands.headers import Look, look_at_file
from headstart.commands.pixels import Pixels, is_sampled, pixels_of
from headstart.commands.small_picture import Seen, see_file
from headstart.image_files.split_names import split_named
from headstart.image_files.tree import list_tree
from headstart.indexing.class_folders import Nested, nested_folders
from headstart.indexing.layout import ClassFolder, Layout, layout_of
from headstart.pictures.plugins import register_plugins
from headstart.project.report import Report
from headstart.project.workers import in_order


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        root: the folder.
        layout: how its folders are read.
        paths: of the files that are pictures, relative to `root`, with /.
        classes: pictures of each class folder, the largest first; with split folders, those of train.
        splits: pictures of each split; empty if the folders are no splits.
        unlike_train: pictures of valid and test by (split, class folder), of folders that train lacks;
            '' for those of valid that lie in no class folder.
        short_px: 5 %, 50 % and 95 % quantile of the shorter side, px.
        aspect: the same of longer side by shorter side.
        modes: pictures of each of Pillow's modes.
        pixels: what the decoded pictures show.
        unreadable: (path, reason) of files that should be pictures.
        copies: groups of files with the same content.
        others: files of each suffix that are no pictures; hidden ones do not count.
        nested: folders in folders, either of which may be the classes; None: there are none.
        tables: paths of files that may hold labels; they lie beside or around the pictures' folders, or
            in the split folders themselves.
        packing: the files that hold several pictures each, such as Parquet; `paths` are then those that
            the pictures get; '': each is a file.
        archive: that the pictures were unpacked from, or the file under sources/ that names them; they
            lie in `root` for as long as the look takes.
        seconds: that the look took.
    """

    root: Path
    layout: Layout
    paths: Sequence[str]
    classes: Mapping[str, int]
    splits: Mapping[str, int]
    unlike_train: Mapping[tuple[str, str], int]
    short_px: tuple[int, int, int]
    aspect: tuple[float, float, float]
    modes: Mapping[str, int]
    pixels: Pixels
    unreadable: Sequence[tuple[str, str]]
    copies: Sequence[tuple[str, ...]]
    others: Mapping[str, int]
    nested: Nested | None = None
    tables: Sequence[str] = ()
    packing: str = ""
    archive: Path | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def origin(self) -> Path:
        """The folder, archive or file under sources/ that the user named."""
        return self.archive or self.root


TABLES = {".csv", ".tsv", ".txt", ".jsonl", ".parquet"}


def survey(root: Path, report: Report, class_folder: ClassFolder | None = None) -> Survey:
    """Look at the header of every file below `root`, then at pixels (`pixels.is_sampled` says which).

    Args:
        root: the folder.
        report: shows the progress.
        class_folder: which folder names the class; None: as the names of the folders tell.

    Raises:
        HeadstartError: there is no such folder, or its files cannot be listed.
    """
    start = time.perf_counter()
    tree = list_tree(root)
    register_plugins()
    n_files = len(tree.sizes)
    looked = report.progress(in_order(partial(look_at_file, root), tree.sizes), n_files, "look")
    looks = {path: look for path, look in zip(tree.sizes, looked, strict=True) if look}
    good = [path for path, look in looks.items() if not look.problem]
    sample = [path for i, path in enumerate(good) if is_sampled(i, len(good))]
    decoded = in_order(lambda path: see_file(root / path), sample)
    seen = dict(zip(sample, report.progress(decoded, len(sample), "decode"), strict=True))
    others = Counter(_suffix(path) or "no suffix" for path in tree.sizes if path not in looks)
    wrapping = layout_of(good).wrapping
    return summed_up(
        root, looks, seen, start, report,
        copies=_copies(root, {path: tree.sizes[path] for path in good}),
        others=dict(others.most_common()),
        tables=[path for path in tree.sizes if _is_table(path, wrapping)],
        class_folder=class_folder,
    )  # fmt: skip


def summed_up(
    root: Path, looks: Mapping[str, Look], seen: Mapping[str, Seen], start: float, report: Report,
    copies: Sequence[tuple[str, ...]], others: Mapping[str, int], tables: Sequence[str] = (),
    packing: str = "", class_folder: ClassFolder | None = None,
) -> Survey:  # fmt: skip
    """The findings from a look at each picture; what cannot be decoded is none.

    Args:
        looks: by path, in the order of the paths.
        seen: what the pixels of those that were decoded show, by path.
        start: when the look began, by time.perf_counter, s.
        report: shows progress.
        root, copies, others, tables, packing: as `Survey` has them.
        class_folder: as in `survey`.
    """
    broken = {path: Look(problem=one.problem) for path, one in seen.items() if one.problem}
    looks = {**looks, **broken}
    good = {path: look for path, look in looks.items() if not look.problem}
    layout = layout_of(good)
    good = {path: look for path, look in good.items() if path not in layout.masks}
    nested = None if packing else nested_folders(layout, good)
    layout = replace(layout, class_folder=class_folder or (nested and nested.classes()) or "first")
    splits: Counter[str] = Counter()
    by_split: Counter[tuple[str, str]] = Counter()
    for path in good:
        split, folders = layout.parts(path)
        if folders is None:
            continue
        if split:
            splits[split] += 1
        if folders or split == "valid":
            by_split[split or "train", folders[0] if folders else ""] += 1
    classes = {name: n for (split, name), n in by_split.items() if split == "train"}
    sides = np.array(
        [(look.width, look.height) for look in good.values()] or [(1, 1)], dtype=np.float64
    )
    short, long = sides.min(axis=1), sides.max(axis=1)
    return Survey(
        root, layout, list(good),
        classes=dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))),
        splits=dict(splits),
        unlike_train={of: n for of, n in sorted(by_split.items()) if of[1] not in classes},
        short_px=_whole(_quantiles(short)), aspect=_quantiles(long / short),
        modes=dict(Counter(look.mode for look in good.values()).most_common()),
        pixels=pixels_of(seen, copies, layout, report),
        unreadable=[(path, look.problem) for path, look in looks.items() if look.problem],
        copies=copies, others=others, nested=nested, tables=tables, packing=packing,
        seconds=time.perf_counter() - start,
    )  # fmt: skip


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
