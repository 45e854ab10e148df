"""An archive of pictures on this machine."""

from dataclasses import dataclass
from pathlib import Path

from headstart.image_files.tree import n_free_bytes

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")


@dataclass(frozen=True)
class LocalArchive:
    """An archive of the user's own, which is unpacked as a whole."""

    path: Path
    root = None
    keep = ()
    max_files = 10_000_000

    @property
    def limit_bytes(self) -> int:
        """Half of the free bytes of the project's disk, because unpacked pictures are copied once."""
        return n_free_bytes(Path()) // 2

    def remedy(self, key: str) -> str:
        """What to do where a limit is too low."""
        return "unpack it yourself, and set dataset.source to the folder"
