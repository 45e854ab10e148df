"""What Parquet files or shards with pictures inside hold."""

import hashlib
import io
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from headstart.commands.headers import Look, look_at
from headstart.commands.pixels import is_sampled
from headstart.commands.small_picture import Seen, see
from headstart.commands.survey import Survey, summed_up
from headstart.fetching.parquet_pictures import Picture
from headstart.pictures.plugins import register_plugins
from headstart.project.report import Report
from headstart.project.workers import in_order


class _Row(NamedTuple):
    path: str
    look: Look
    sha256: bytes
    seen: Seen | None  # None: it is not decoded


def survey_packed(
    root: Path, packing: str, pictures: Iterable[Picture], n: int, report: Report
) -> Survey:
    """Look at every picture, under the path that fetch-images gives it.

    Args:
        root: folder of the files.
        packing: what they are, for a person.
        pictures: all of them.
        n: their number.
        report: shows the progress.
    """
    start = time.perf_counter()
    register_plugins()

    def row(numbered: tuple[int, Picture]) -> _Row:
        index, (path, data) = numbered
        look = look_at(io.BytesIO(data))
        decoded = not look.problem and is_sampled(index, n)
        seen = see(data) if decoded else None
        return _Row(path, look, hashlib.sha256(data).digest(), seen)

    rows = in_order(row, enumerate(pictures))
    found = sorted(report.progress(rows, n, "look"), key=lambda row: row.path)
    of_content: defaultdict[bytes, list[str]] = defaultdict(list)
    for path, look, sha256, _ in found:
        if not look.problem:
            of_content[sha256].append(path)
    return summed_up(
        root,
        {path: look for path, look, *_ in found},
        {row.path: row.seen for row in found if row.seen},
        start,
        report,
        copies=[tuple(same) for same in of_content.values() if len(same) > 1],
        others={},
        packing=packing,
    )
