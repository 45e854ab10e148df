"""What a folder of Parquet files with pictures inside holds."""

import hashlib
import io
import time
from collections import defaultdict
from collections.abc import Iterator

from headstart.commands.survey import Look, Progress, Survey, look_at, summed_up
from headstart.fetching.parquet_pictures import pictures_in
from headstart.fetching.parquet_sources import ParquetImages
from headstart.pictures.plugins import register_plugins


def survey_parquet(source: ParquetImages, progress: Progress) -> Survey:
    """Look at every picture, under the path that fetch-images gives it; none is decoded.

    Args:
        source: the data set.
        progress: passes the looks through, and shows how many of how many are done.

    Raises:
        SourceError: see pictures_in.
    """
    start = time.perf_counter()
    register_plugins()
    paths: list[str] = []
    of_content: defaultdict[bytes, list[str]] = defaultdict(list)

    def looks() -> Iterator[Look]:
        for path, data in pictures_in(source):
            look = look_at(io.BytesIO(data))
            paths.append(path)
            if not look.problem:
                of_content[hashlib.sha256(data).digest()].append(path)
            yield look

    found = [look for look in progress(looks(), source.n_rows) if look]
    return summed_up(
        source.root,
        dict(sorted(zip(paths, found, strict=True))),
        start,
        copies=[tuple(same) for same in of_content.values() if len(same) > 1],
        others={},
        in_parquet=True,
    )
