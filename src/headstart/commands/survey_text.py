"""What a look at a folder found, on one screen of a terminal."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import get_args

from headstart.commands.choices import Findings
from headstart.commands.pixels import in_two_classes, splits_of
from headstart.commands.survey import Survey
from headstart.image_files.split_names import SplitName
from headstart.indexing.findings import alike_classes

N_CLASSES, N_NAMED = 8, 3
NO_LABELS = {"unlabeled", "unlabelled", "unsorted", "nolabel", "nolabels", "tolabel", "todo"}


def told(looked: Survey, found: Findings) -> str:
    """The findings, one row each; what there is nothing to say about has no row."""
    rows = {
        _origin(looked): str(looked.origin),
        "files": _packed(looked, found),
        "labels": f"{found.reason}; {found.labels.get('task', 'single_label').replace('_', ' ')}",
        "pictures": _pictures(looked),
        "pixels": _colours(looked),
        "shorter side": _quantiles(looked.short_px, " px"),
        "long : short": _quantiles(looked.aspect, ""),
        "classes": _classes(found.per_class),
        "splits": _splits(looked, found),
        "groups": _groups(looked, found),
        "no class": _without_class(looked, found),
        "not in train": _unlike_train(looked),
        "names": " ".join(_doubtful_names(found.per_class)),
        "folders": " ".join(looked.layout.notes()),
        "unreadable": _named([f"{path} ({why})" for path, why in looked.unreadable]),
        "same content": _named([" = ".join(paths) for paths in looked.copies]),
        "look alike": _alike(looked, by_folders=found.labels["labels"] == "folders"),
        "other files": _counts(looked.others),
        "took": f"{looked.seconds:.1f} s",
    }
    return "\n".join(f"{name:<13} {text}" for name, text in rows.items() if text)


def _origin(looked: Survey) -> str:
    if looked.archive is None:
        return "folder"
    return "source" if looked.archive.suffix == ".yaml" else "archive"


def _packed(looked: Survey, found: Findings) -> str:
    if not looked.packing:
        return ""
    n_splits = len(looked.splits)
    return (
        f"{looked.packing} with {len(looked.paths):,} pictures inside: {n_splits} "
        f"{'split' if n_splits == 1 else 'splits'}, {len(found.per_class):,} classes"
    )


def _pictures(looked: Survey) -> str:
    """Their number, and Pillow's modes of them."""
    modes = next(iter(looked.modes)) if len(looked.modes) == 1 else _counts(looked.modes)
    return f"{len(looked.paths):,}" + (f" ({modes})" if modes else "")


def _colours(looked: Survey) -> str:
    n, n_grey = looked.pixels.n_decoded, looked.pixels.n_grey
    if not n:
        return ""
    some = f"{n - n_grey:,} in colour, {n_grey:,} grey"
    return _sampled(looked) + {0: "all in colour", n: "all grey"}.get(n_grey, some)


def _alike(looked: Survey, by_folders: bool) -> str:
    """The pairs that look alike, if any, and why they matter; or that the look cannot tell.

    Args:
        looked: the findings.
        by_folders: whether the folders are classes.
    """
    pairs, layout = looked.pixels.alike, looked.layout
    if pairs is None:
        return (
            f"{_sampled(looked)}not judged: these pictures are too similar (frames of a video? then "
            "see index_images.group_regex)"
        )
    if not pairs:
        return ""
    splits = Counter(" and ".join(splits_of(pair, layout)) for pair in pairs)
    del splits[""]  # pairs in one split
    n_classes = sum(in_two_classes(pair, layout) for pair in pairs) if by_folders else 0
    where = [f"{n:,} in {names}" for names, n in splits.items()]
    where += [f"{n_classes:,} in two classes"] if n_classes else []
    named = _listed([f"{pair.first} ~ {pair.second}" for pair in pairs])
    n_pairs = f"{len(pairs):,} {'pair' if len(pairs) == 1 else 'pairs'}"
    return f"{_sampled(looked)}{', '.join([n_pairs, *where])}: {named}"


def _sampled(looked: Survey) -> str:
    """What part of the pictures was decoded; nothing if all were."""
    n, n_all = looked.pixels.n_decoded, len(looked.paths)
    return f"of {n:,} of {n_all:,} looked at: " if n < n_all else ""


def _quantiles(quantiles: Sequence[float], unit: str) -> str:
    low, middle, high = quantiles
    return f"median {middle}{unit}; 9 of 10 from {low} to {high}{unit}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def _classes(per_class: Mapping[str, int]) -> str:
    """The number of classes, and the largest and smallest of them with their pictures."""
    largest_first = sorted(per_class.items(), key=lambda item: (-item[1], item[0]))
    if len(largest_first) > N_CLASSES:
        ends = [*largest_first[: N_CLASSES // 2], ("...", 0), *largest_first[-N_CLASSES // 2 :]]
    else:
        ends = largest_first
    listed = ", ".join(f"{name} {n:,}" if n else name for name, n in ends)
    return f"{len(per_class):,}: {listed}"


def _splits(looked: Survey, found: Findings) -> str:
    """Pictures of each split that folders give, or the splits that a column gives."""
    if column := found.labels.get("split_column"):
        given = (split for split in get_args(SplitName) if split in found.splits)
        return f"{', '.join(given)} by the column {column}"
    return _counts(looked.splits)


def _groups(looked: Survey, found: Findings) -> str:
    """What a column of groups, or folders above or below class folders, are, if there are any."""
    if column := found.labels.get("group_column"):
        return f"{found.n_groups:,} by the column {column}: no split cuts one"
    nested, by_folders = looked.nested, found.labels["labels"] == "folders"
    others = nested.others(looked.layout.class_folder) if nested and by_folders else ()
    if len(others) < 2:
        return ""
    if "group_regex" in found.labels:
        return f"{_named(others)}: no split cuts one"
    return (
        f"none. The other folders ({_listed(others)}) are not read; if no split may cut one, set "
        "index_images.group_regex"
    )


def _without_class(looked: Survey, found: Findings) -> str:
    """Pictures that lie in no class folder, where folders are classes."""
    if found.labels["labels"] != "folders":
        return ""
    layout = looked.layout
    parts = ((path, *layout.parts(path)) for path in looked.paths if not layout.is_aside(path))
    paths = [path for path, split, folders in parts if not folders and split in (None, "train")]
    return (
        f"{_named(paths)}: {'it is' if len(paths) == 1 else 'they are'} set aside" if paths else ""
    )


def _doubtful_names(classes: Iterable[str]) -> list[str]:
    """Sentences on names of classes that may be a slip."""
    said = alike_classes(classes)
    unlabelled = [name for name in classes if re.sub("[-_ ]", "", name.casefold()) in NO_LABELS]
    return said + [
        f"The class {name} seems to hold pictures that nobody has labelled: if so, move them away."
        for name in unlabelled
    ]


def _unlike_train(looked: Survey) -> str:
    """Classes of valid and test that train lacks; their pictures cannot be scored."""
    if not looked.layout.has_train():
        return ""
    found = [
        f"{n:,} {name or 'without a class'} of {split}"
        for (split, name), n in looked.unlike_train.items()
    ]
    return f"{_listed(found)}: these are set aside" if found else ""


def _named(findings: Sequence[str]) -> str:
    """The number of findings, and the first few."""
    return f"{len(findings):,}: {_listed(findings)}" if findings else ""


def _listed(findings: Sequence[str]) -> str:
    more = ", ..." if len(findings) > N_NAMED else ""
    return f"{', '.join(islice(findings, N_NAMED))}{more}"
