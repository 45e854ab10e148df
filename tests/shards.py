"""WebDataset shards: plain tars in which files of one key belong together."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def tar_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A plain tar of files, in their order; one name may come twice."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return buffer.getvalue()


def shard(samples: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """A shard of samples: by key, the content of each file by its suffix."""
    return tar_of(
        (f"{key}.{suffix}", data) for key, of in samples.items() for suffix, data in of.items()
    )


def write_shard(file: Path, samples: Mapping[str, Mapping[str, bytes]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(shard(samples))
