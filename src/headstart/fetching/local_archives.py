"""An archive of pictures on this machine."""

from dataclasses import dataclass
from pathlib import Path

from headstart.image_files.tree import n_free_bytes

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")

MAX_GROWTH, FREE_GROWTH_BYTES = 200, 100_000_000


def limit_bytes(archive: Path, disk: Path) -> int:
    """How many bytes an archive of the user's own may unpack to.

    It is at most half of what is free where `disk` lies. Deflate packs zeros a thousand times, but
    pictures, even drawings in BMP, hardly MAX_GROWTH times.
    """
    grown = archive.stat().st_size * MAX_GROWTH + FREE_GROWTH_BYTES
    return min(grown, n_free_bytes(disk) // 2)


@dataclass(frozen=True)
class LocalArchive:
    """An archive of the user's own, which is unpacked as a whole."""

    path: Path
    root = None
    keep = ()
    max_files = 10_000_000

    @property
    def limit_bytes(self) -> int:
        """At most half of the project's disk, because unpacked pictures are copied once."""
        return limit_bytes(self.path, Path())

    def remedy(self, key: str) -> str:
        """What to do where a limit is too low."""
        return "unpack it yourself, and set dataset.source to the folder"
