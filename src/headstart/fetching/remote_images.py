"""Opens the folder of pictures that a source names; what has none is fetched and unpacked first."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from headstart.fetching.archives import unpack
from headstart.fetching.download import download
from headstart.fetching.image_sources import ArchiveImages, ImagesSource
from headstart.fetching.local_archives import LocalArchive
from headstart.fetching.objects import fetch_objects
from headstart.fetching.parquet_pictures import write_pictures
from headstart.fetching.parquet_sources import ParquetImages, find_parquet
from headstart.fetching.remote_sources import RemoteImages
from headstart.fetching.shard_sources import ShardImages, list_shards, list_tars, shards_in
from headstart.image_files.tree import Tree, list_tree
from headstart.project.beside import written_beside
from headstart.project.located import SourceError, locate
from headstart.project.report import Report
from headstart.project.work import work_folder

MB = 1_000_000


@contextmanager
def open_images(source: ImagesSource, report: Report, keep: bool = False) -> Iterator[Path]:
    """Yield the folder of a source's pictures, which lasts until the block ends.

    Archives are removed when all are unpacked, and unpacked pictures when the block ends without an
    error. So the disk holds the pictures twice at most. After an error or a kill both stay, and the
    next run goes on from there, also with another `root`. Pictures inside the user's own archive or
    Parquet files are written anew by each run.

    Args:
        source: the pictures.
        report: shows the progress.
        keep: whether objects of a store stay for the next run, which asks only if they have changed.

    Raises:
        SourceError: see locate, download, unpack, fetch_objects and write_pictures.
    """
    if isinstance(source, RemoteImages):
        with _of_store(source, report, keep) as pictures:
            yield pictures
        return
    if isinstance(source, ShardImages):
        yield source.root
        return
    if isinstance(source, LocalArchive | ParquetImages):
        with _written(source, report) as pictures:
            yield pictures
        return
    if not isinstance(source, ArchiveImages):
        try:
            folder = locate(source)
        except SourceError as error:
            raise SourceError(f"dataset.source: {error}") from None
        yield folder
        return
    with work_folder("pictures", source.model_dump(mode="json")) as work:
        pictures = work / "unpacked"
        if not pictures.exists():
            _fetch(source, pictures, report)
        yield pictures
        shutil.rmtree(work)


def list_pictures(source: ImagesSource, folder: Path) -> Tree:
    """The pictures of a source in the folder that `open_images` gives, as files or inside shards.

    Raises:
        HeadstartError: see list_tree and list_shards.
    """
    form = source.form if isinstance(source, RemoteImages) else ""
    if isinstance(source, RemoteImages) and form == "webdataset":
        source = shards_in(folder, source.rules, source.splits_given)
    if isinstance(source, ShardImages):
        return list_shards(source)
    return (
        list_tars(folder)
        if form == "parquet" or isinstance(source, ParquetImages)
        else (list_tree(folder))
    )


@contextmanager
def _of_store(source: RemoteImages, report: Report, keep: bool) -> Iterator[Path]:
    """A folder with the objects of a store; for Parquet, with the tars of their pictures."""
    key = {"files": [[file.url, file.split] for file in source.files]}
    with work_folder("pictures", key) as work:
        folder = fetch_objects(source, work, report)
        if source.form == "parquet":
            found = find_parquet(folder, source.splits_given)
            if found is None:
                raise SourceError(
                    f"dataset.source: {source.files[0].url} holds no pictures: form parquet needs a "
                    "column of structs with bytes and path."
                )
            folder = _write_tars(found, work / "unpacked", report)
        yield folder
        if not keep:
            shutil.rmtree(work)


def _write_tars(source: ParquetImages, folder: Path, report: Report) -> Path:
    with written_beside(folder) as partial:
        partial.mkdir()
        written = write_pictures(source, partial)
        for _ in report.progress(written, source.n_rows, "write pictures"):
            pass
    return folder


@contextmanager
def _written(source: LocalArchive | ParquetImages, report: Report) -> Iterator[Path]:
    """A folder with the pictures of a source of the user's own, which lasts until the block ends."""
    origin = source.path if isinstance(source, LocalArchive) else source.root
    with work_folder("pictures", {"of": str(origin)}) as work:
        try:
            if isinstance(source, LocalArchive):
                with written_beside(work / "unpacked") as partial:
                    partial.mkdir()
                    positions = unpack([origin], partial, source)
                    _show(report, positions, origin.stat().st_size, "unpack")
            else:
                _write_tars(source, work / "unpacked", report)
            yield work / "unpacked"
        finally:
            shutil.rmtree(work)


def _fetch(source: ArchiveImages, pictures: Path, report: Report) -> None:
    """Download and unpack all archives into `pictures`, which appears only when it is complete."""
    with ExitStack() as held:
        files = []
        # In one order, so that two runs never wait for each other's archives.
        for archive in sorted(source.archives, key=lambda archive: archive.url):
            # The key has neither `root` nor `keep`, so correcting them fetches nothing again.
            key = {"url": archive.url, "checksum": archive.checksum}
            files.append(held.enter_context(work_folder("archives", key)) / archive.name)
            if not files[-1].exists():
                label = f"download {archive.name}"
                _show(report, download(archive, files[-1]), archive.n_bytes, label)
        n_bytes = sum(archive.n_bytes for archive in source.archives)
        with written_beside(pictures) as partial:
            partial.mkdir()
            _show(report, unpack(files, partial, source), n_bytes, "unpack")
        for file in files:
            shutil.rmtree(file.parent)


def _show(report: Report, positions: Iterable[int], n_bytes: int, label: str) -> None:
    """Go through `positions` (bytes done so far) and show a bar with one step per MB."""
    n_mb = -(-n_bytes // MB)

    def steps() -> Iterator[int]:
        n_shown = 0
        for position in positions:
            while n_shown < min(position // MB, n_mb):  # none while a new start catches up
                n_shown += 1
                yield n_shown
        yield from range(n_shown, n_mb)

    for _ in report.progress(steps(), n_mb, f"{label}, MB"):
        pass
