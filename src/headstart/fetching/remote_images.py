"""The folder of pictures that a source names; what is on the net is fetched and unpacked first."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from headstart.fetching.archives import unpack
from headstart.fetching.download import download
from headstart.fetching.image_sources import ArchiveImages, ImagesSource
from headstart.project.beside import written_beside
from headstart.project.located import locate
from headstart.project.report import Report
from headstart.project.work import work_folder

MB = 1_000_000


@contextmanager
def open_images(source: ImagesSource, report: Report) -> Iterator[Path]:
    """Give the folder of a source's pictures, while it is read.

    Archives are removed once all are unpacked, and what was unpacked once the reader is content: the
    disk holds the pictures twice at most. After an error or a kill both stay, so that the next run,
    or one with another `root`, goes on from there.

    Raises:
        SourceError: see locate, download and unpack.
    """
    if not isinstance(source, ArchiveImages):
        yield locate(source)
        return
    with work_folder("pictures", source.model_dump(mode="json")) as work:
        pictures = work / "unpacked"
        if not pictures.exists():
            _fetch(source, pictures, report)
        yield pictures
        shutil.rmtree(work)


def _fetch(source: ArchiveImages, pictures: Path, report: Report) -> None:
    """Download and unpack all archives into `pictures`, which appears once it is whole."""
    with ExitStack() as held:
        files = []
        # In one order, so that two runs never wait for each other's archives.
        for archive in sorted(source.archives, key=lambda archive: archive.url):
            # Not keyed by `root` or `keep`: where these were wrong, nothing is fetched again.
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
    """Let `positions` (bytes done so far) run to their end, with a bar of one step a MB."""
    n_mb = -(-n_bytes // MB)

    def steps() -> Iterator[int]:
        n_shown = 0
        for position in positions:
            while n_shown < min(position // MB, n_mb):  # a download that begins anew waits here
                n_shown += 1
                yield n_shown
        yield from range(n_shown, n_mb)

    for _ in report.progress(steps(), n_mb, f"{label}, MB"):
        pass
