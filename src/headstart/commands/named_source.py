"""Opens what the user named to `headstart init`, and looks into it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

from headstart.commands.choices import Findings
from headstart.commands.label_source import findings_of
from headstart.commands.packed_survey import survey_packed
from headstart.commands.survey import Survey, survey
from headstart.fetching.image_sources import ArchiveImages, ImagesSource, read_images_source
from headstart.fetching.local_archives import ARCHIVE_SUFFIXES, LocalArchive
from headstart.fetching.parquet_pictures import Picture, pictures_in
from headstart.fetching.parquet_sources import ParquetImages
from headstart.fetching.remote_images import list_pictures, open_images
from headstart.fetching.remote_sources import RemoteImages
from headstart.fetching.shard_sources import ShardImages
from headstart.image_files.tree import Tree
from headstart.indexing.layout import ClassFolder
from headstart.project.located import UserPath
from headstart.project.report import Shown, Silent
from headstart.terminal.bars import Bars

T = TypeVar("T")


class NamedSource(NamedTuple):
    """A source of pictures.

    Attributes:
        source: the pictures.
        name: as dataset.source has it.
        table: path of the table of labels in it; '': none was named.
    """

    source: ImagesSource
    name: str
    table: str


def named_source(pictures: Path) -> NamedSource:
    """The source that a path names: a folder, an archive, a table, or a file below sources/.

    Raises:
        ClickException: it does not exist, is not UTF-8, or names archives on the net.
        SourceError: see read_images_source.
    """
    if pictures.suffix in (".yaml", ".yml"):
        _require_utf8(pictures)
        source = read_images_source(str(pictures))
        if isinstance(source, ArchiveImages):
            raise click.ClickException(
                f"{pictures} names archives on the net: unpack them into a folder, and give that "
                "folder."
            )
        return NamedSource(source, str(pictures), "")
    path = _in_full(pictures)
    _require_utf8(path)
    if path.is_file() and not path.name.lower().endswith(ARCHIVE_SUFFIXES):
        return NamedSource(UserPath(path.parent), str(path.parent), path.name)
    if not path.exists():
        raise click.ClickException(f"{pictures} does not exist: give a folder of pictures.")
    return NamedSource(read_images_source(str(path)), str(path), "")


def _in_full(path: Path) -> Path:
    """The absolute path without links and without a ~ that stands for a user's folder."""
    try:
        return path.expanduser().resolve()
    except RuntimeError:  # ~name of no user, so it is a name; or a link that leads to itself
        return path.absolute()


def _require_utf8(path: Path) -> None:
    """Refuse a path that params.yaml cannot hold, before the look at its pictures."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise click.ClickException(
            f"The path {str(path)!r} is not valid UTF-8, so params.yaml cannot hold it: rename it to "
            "valid UTF-8."
        ) from None


def look_into(
    named: NamedSource, class_folder: ClassFolder | None = None
) -> tuple[Survey, Findings]:
    """What the source holds, and what the rule of `choose` needs of it.

    An archive is unpacked for as long as it is looked at. Objects of a store are fetched, and kept for
    fetch-images.

    Args:
        named: the source.
        class_folder: which folder names the class; None: as the names of the folders tell.

    Raises:
        HeadstartError: it cannot be read; see also `findings_of`.
    """
    source, name, table = named
    if isinstance(source, ParquetImages):
        rows = pictures_in(source)
        looked = survey_packed(source.root, "Parquet", rows, source.n_rows, _OnTerminal())
        return looked, findings_of(looked, name, table)
    with open_images(source, _OnTerminal(), keep=True) as folder:
        looked = _survey(source, folder, class_folder)
        if isinstance(source, LocalArchive | RemoteImages):
            looked = replace(looked, archive=Path(name))
        return looked, findings_of(looked, name, table, class_folder is not None)


def _survey(source: ImagesSource, folder: Path, class_folder: ClassFolder | None) -> Survey:
    if isinstance(source, ShardImages) or (
        isinstance(source, RemoteImages) and source.form != "files"
    ):
        tree = list_pictures(source, folder)
        of_tars = isinstance(source, ShardImages) or source.form == "webdataset"
        packing = "WebDataset shards" if of_tars else "Parquet"
        return survey_packed(folder, packing, _pictures(tree), len(tree.sizes), _OnTerminal())
    return survey(folder, _OnTerminal(), class_folder)


def _pictures(tree: Tree) -> Iterator[Picture]:
    for path in tree.sizes:
        with tree.open(path) as file:
            yield Picture(path, file.read())


class _OnTerminal(Silent):
    """Shows the progress of unpacking and of looking."""

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        return Bars().over(items, n, label)
