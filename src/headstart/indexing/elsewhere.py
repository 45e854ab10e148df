"""Facts about pictures that workers find, in the order in which this process would find them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.cluster.jobs import Make, Read
from headstart.cluster.spread import Work, Workers, spread
from headstart.pictures.encoding import ById
from headstart.pictures.facts import facts_key, find_facts
from headstart.project.versions import PICTURES, require, versions
from headstart.project.workers import in_order


def facts_elsewhere(
    workers: Workers, files: Mapping[str, bytes], ids: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield the record of the facts about each file; files of one content are looked at once.

    Args:
        workers: who decode.
        files: content by path.
        ids: id of the picture by path, in the order of the result.
    """
    first: dict[str, str] = {}
    for path, picture in ids.items():
        first.setdefault(picture, path)
    job = FactsJob(versions(*PICTURES))
    read = ById(files, first)
    made = spread(workers, Work(lambda: job, facts_key(), facts_key(), None, read), list(first))
    left = Counter(ids.values())
    again: dict[str, bytes] = {}  # records of pictures with more paths to come
    for picture in ids.values():
        record = again.pop(picture, None) or next(made)
        left[picture] -= 1
        if left[picture]:
            again[picture] = record
        yield record


@dataclass(frozen=True)
class FactsJob:
    """Finds the facts about picture files; a `cluster.jobs.Job`.

    Attributes:
        versions: of Pillow and its plugins.
    """

    versions: Mapping[str, str]

    def open(self) -> Make:
        """Raise HeadstartError if Pillow or a plugin has another version here."""
        require(self.versions)

        def make(ids: Sequence[str], _: Any, read: Read) -> Iterable[bytes]:
            return in_order(lambda picture: find_facts(read(picture)).record(), ids)

        return make
