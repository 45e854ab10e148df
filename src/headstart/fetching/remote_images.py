"""Opens the folder of pictures that a source names; what has none is fetched and unpacked first."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from headstart.fetching.archives import unpack
from headstart.fetching.download import download
from headstart.fetching.image_sources import ArchiveImages, ImagesSource
from headstart.fetching.local_archives import LocalArchive
from headstart.fetching.parquet_pictures import write_pictures
from headstart.fetching.parquet_sources import ParquetImages
from headstart.project.beside import written_beside
from headstart.project.located import SourceError, locate
from headstart.project.report import Report
from headstart.project.work import work_folder

MB = 1_000_000


@contextmanager
def open_images(source: ImagesSource, report: Report) -> Iterator[Path]:
    """Yield the folder of a source's pictures, which lasts until the block ends.

    Archives are removed when all are unpacked, and unpacked pictures when the block ends without an
    error. So the disk holds the pictures twice at most. After an error or a kill both stay, and the
    next run goes on from there, also with another `root`. Pictures inside the user's own archive or
    Parquet files are written anew by each run.

    Raises:
        SourceError: see locate, download, unpack and write_pictures.
    """
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


@contextmanager
def _written(source: LocalArchive | ParquetImages, report: Report) -> Iterator[Path]:
    """A folder with the pictures of a source of the user's own, which lasts until the block ends."""
    origin = source.path if isinstance(source, LocalArchive) else source.root
    with work_folder("pictures", {"of": str(origin)}) as work:
        try:
            with written_beside(work / "unpacked") as partial:
                partial.mkdir()
                if isinstance(source, LocalArchive):
                    positions = unpack([origin], partial, source)
                    _show(report, positions, origin.stat().st_size, "unpack")
                else:
                    written = write_pictures(source, partial)
                    for _ in report.progress(written, source.n_rows, "write pictures"):
                        pass
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
