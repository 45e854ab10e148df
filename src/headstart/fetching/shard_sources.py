"""Finds data sets whose pictures lie in tars as WebDataset writes them, and lists their pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from headstart.fetching.archive_entries import BROKEN, read_entries
from headstart.fetching.archives import HEADER_BYTES
from headstart.fetching.class_folders import ClassFolders
from headstart.fetching.parquet_sources import packed_alone, splits_of
from headstart.fetching.shard_samples import LABELS, SampleRules, samples_in
from headstart.image_files.safe_names import safe_name
from headstart.image_files.tree import Place, Tree
from headstart.project.located import SourceError

CLASS_FILES = ("classes.txt", "classnames.txt")
"""Names of a file beside the shards that holds a class a line, by number from 0."""
_N_LOOKED_AT = 64  # entries


@dataclass(frozen=True)
class ShardImages:
    """A folder whose pictures are inside shards, plain tars that are read where they lie."""

    root: Path
    files: tuple[tuple[str, str], ...]
    """(path relative to root, with /; split) of each shard."""
    rules: SampleRules


def find_shards(root: Path) -> ShardImages | None:
    """The data set in a folder; None if the first tar there is no shard, or another file is a picture.

    Raises:
        SourceError: as `shards_in`.
    """
    tars = packed_alone(root, ".tar")
    return shards_in(root) if tars and _is_shard(root / tars[0]) else None


def shards_in(root: Path, rules: SampleRules | None = None, given: bool = False) -> ShardImages:
    """All tars below a folder as one data set.

    Args:
        root: the folder.
        rules: what the files of a sample mean; classes may also stand in one of CLASS_FILES.
        given: whether the top folders are the splits.

    Raises:
        SourceError: there is no tar, or the splits cannot be understood.
    """
    rules = rules or SampleRules()
    tars = packed_alone(root, ".tar")
    if not tars:
        raise SourceError(f"dataset.source: {root} holds no .tar.")
    if not rules.classes:
        rules = rules._replace(classes=_classes(root))
    splits = splits_of(root, tars, given)
    return ShardImages(root, tuple(zip(tars, splits, strict=True)), rules)


def list_shards(source: ShardImages) -> Tree:
    """Every picture of the shards, below the folders <split>/<class>, by the shard's name and its key.

    Raises:
        SourceError: see samples_in; or two classes would get one folder.
    """
    folders, sizes, places = ClassFolders(), dict[str, int](), dict[str, Place]()
    for shard, split in source.files:
        stem = safe_name(shard[: -len(".tar")].replace("/", "-"))
        for n, sample in enumerate(samples_in(source.root / shard, source.rules), start=1):
            above = folders.above(split, sample.label, f"{sample.key!r} of {source.root / shard}")
            name = safe_name(f"{stem}-{sample.key.replace('/', '-')}")
            suffix = safe_name(sample.suffix.rsplit(".", 1)[-1])
            path = f"{above}/{name}.{suffix}"
            if path in sizes:  # long or odd keys that became one name
                path = f"{above}/{name}-{n:06}.{suffix}"
            if path in sizes:
                raise SourceError(
                    f"dataset.source: {source.root / shard} has two samples {sample.key!r}."
                )
            sizes[path], places[path] = sample.n_bytes, Place(shard, sample.offset)
    return Tree(source.root, dict(sorted(sizes.items())), 0, places)


def list_tars(root: Path) -> Tree:
    """Every file of the tars below a folder that headstart wrote itself, under its name there.

    Raises:
        SourceError: two have one name.
    """
    sizes, places = dict[str, int](), dict[str, Place]()
    for tar in packed_alone(root, ".tar"):
        for entry in read_entries(root / tar, (root / tar).stat().st_size + HEADER_BYTES):
            if entry.name in sizes:
                raise SourceError(
                    f"dataset.source: two files would write {entry.name}: rename one of them."
                )
            sizes[entry.name] = entry.n_bytes
            places[entry.name] = Place(tar, entry.offset or 0)
    return Tree(root, dict(sorted(sizes.items())), 0, places)


def _is_shard(tar: Path) -> bool:
    """Whether a file that may hold a label has the name of another file, up to its suffix."""
    try:
        names = [PurePosixPath(name) for name in _first_names(tar)]
    except (*BROKEN, SourceError):
        return False
    keys = {str(path).partition(".")[0] for path in names if path.suffix[1:] not in LABELS}
    return any(path.suffix[1:] in LABELS and str(path).partition(".")[0] in keys for path in names)


def _first_names(tar: Path) -> Iterator[str]:
    entries = read_entries(tar, tar.stat().st_size + HEADER_BYTES)
    for entry in islice(entries, _N_LOOKED_AT):
        if entry.kind == "file":
            yield entry.name.lower().removeprefix("./")


def _classes(root: Path) -> tuple[str, ...]:
    for name in CLASS_FILES:
        if (file := root / name).is_file():
            try:
                lines = file.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError):
                raise SourceError(
                    f"dataset.source: {file} cannot be read as UTF-8 text: correct it."
                ) from None
            return tuple(line.strip() for line in lines if line.strip())
    return ()
