"""The sets of bench.zero_tuning: pictures drawn anew for each seed from folders of real pictures."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from headstart.commands.choices import View
from headstart.image_files.tree import list_tree
from headstart.project.workers import in_order

QUALITY = 95  # of the JPEGs that are written
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Kind:
    """How a set is made.

    Attributes:
        folder: textile, or the option that names the folder.
        view: what `headstart init` is told of the pictures.
        several: whether a picture has any number of labels.
        n_classes: only the largest classes; 0: all.
        per_class: pictures of each class in train; 0: as many as asked for, in proportion.
        rare: the last class's part of train; 0: its own. Valid and test keep its own.
    """

    folder: str
    view: View = "photo"
    several: bool = False
    n_classes: int = 0
    per_class: int = 0
    rare: float = 0.0


KINDS = {
    "textile": Kind("textile", "texture"),
    "dogscats": Kind("dogscats"),
    "breeds": Kind("dogbreeds", n_classes=40),  # those of 10 to 17 pictures
    "planet": Kind("planet", "top_down", several=True),
    "few": Kind("dogscats", per_class=20),
    "rare": Kind("dogscats", rare=0.05),
}

Labels = Mapping[str, tuple[str, ...]]


def labels_in(folder: Path, several: bool) -> dict[str, tuple[str, ...]]:
    """Path below `folder` -> labels: by labels.csv (id, labels) of train, or by the class folders."""
    table = folder / "labels.csv"
    if not table.is_file():
        paths = [
            path for path in list_tree(folder).sizes if path.lower().endswith((".jpg", ".png"))
        ]
        return {path: (path.split("/")[-2],) for path in paths}
    with table.open(encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    said = {f"train/{name}.jpg": text.split() if several else [text] for name, text in rows}
    return {path: tuple(said[path]) for path in said if (folder / path).is_file()}


def draw(labels: Labels, kind: Kind, counts: Mapping[str, int], seed: int) -> dict[str, list[str]]:
    """Split -> paths, drawn at random, no path twice; no label of valid and test is new to train.

    Classes have the parts that they have in `labels`, at least one picture each. If there are too few
    pictures, every split has fewer, in proportion.

    Args:
        labels: path -> labels of all pictures.
        kind: which classes, and how many of each in train.
        counts: pictures of train, valid and test.
        seed: of the draw.
    """
    shuffled = np.random.default_rng(seed).permutation(sorted(labels)).tolist()
    if kind.several:
        train, others = shuffled[: counts["train"]], shuffled[counts["train"] :]
        known = {label for path in train for label in labels[path]}
        others = [path for path in others if known.issuperset(labels[path])]
        end = counts["valid"] + counts["test"]
        return {
            "train": train,
            "valid": others[: counts["valid"]],
            "test": others[counts["valid"] : end],
        }
    of_class: dict[str, list[str]] = {}
    for path in shuffled:
        of_class.setdefault(labels[path][0], []).append(path)
    largest = sorted(of_class, key=lambda name: (-len(of_class[name]), name))
    of_class = {name: of_class[name] for name in sorted(largest[: kind.n_classes or None])}
    n = sum(map(len, of_class.values()))
    scale = min(1.0, n / sum(counts[split] for split in SPLITS))
    own = {name: len(paths) / n for name, paths in of_class.items()}
    parts = dict.fromkeys(SPLITS, own) | {"train": _with_rare(own, kind.rare)}
    drawn: dict[str, list[str]] = {}
    for split in SPLITS:
        drawn[split] = []
        for name, left in of_class.items():
            n_of = max(1, round(scale * counts[split] * parts[split][name]))
            if split == "train" and kind.per_class:
                n_of = kind.per_class
            drawn[split] += left[:n_of]
            del left[:n_of]
    return drawn


def _with_rare(parts: Mapping[str, float], rare: float) -> Mapping[str, float]:
    """Parts that add up to 1, in which the last class has the part `rare`; 0: as they are."""
    if not rare:
        return parts
    last = list(parts)[-1]
    factor = (1 - rare) / (1 - parts[last])
    return {name: rare if name == last else factor * part for name, part in parts.items()}


def write_set(
    source: Path,
    labels: Labels,
    drawn: Mapping[str, list[str]],
    folder: Path,
    px: int,
    several: bool,
) -> Path:
    """Write the pictures in folders train, valid and test, as JPEGs of a shorter side of at most `px`.

    Each class is a folder below its split; or a table labels.csv beside these gives several labels.

    Returns:
        A table for fastai, beside `folder`: file, labels, split of each picture.
    """
    rows, copies = [], []
    for split, paths in drawn.items():
        for path in paths:
            above = split if several else f"{split}/{labels[path][0]}"
            file = f"{above}/{PurePosixPath(path).stem}.jpg"
            (folder / above).mkdir(parents=True, exist_ok=True)
            rows.append((file, " ".join(labels[path]) if several else labels[path][0], split))
            copies.append((source / path, folder / file))
    for _ in in_order(partial(_shrink, px=px), copies):
        pass
    if several:
        _write_csv(folder / "labels.csv", [("image_name", "tags"), *(row[:2] for row in rows)])
    table = folder.with_name(f"{folder.name}.csv")
    _write_csv(table, [("file", "labels", "split"), *rows])
    return table


def _shrink(files: tuple[Path, Path], px: int) -> None:
    source, target = files
    with Image.open(source) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    factor = px / min(upright.size)
    if factor < 1:
        width, height = (max(px, round(factor * side)) for side in upright.size)
        upright = upright.resize((width, height), Image.Resampling.LANCZOS)
    upright.save(target, "JPEG", quality=QUALITY)


def _write_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
