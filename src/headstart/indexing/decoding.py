"""Decodes the files of the pictures, and joins those with the same content."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.cluster.chosen import workers_for
from headstart.indexing.labelling import Meaning, Problem
from headstart.indexing.signature_file import SignatureFile
from headstart.kept.once import Known
from headstart.pictures.facts import Facts, find_facts
from headstart.project.report import Report
from headstart.project.workers import in_order


class _File(NamedTuple):
    """The facts about a file, and whether an earlier run found them."""

    id: str
    is_new: bool
    facts: Facts

    def keep(self, earlier: Known) -> None:
        """Keep the facts for later runs, but no problem: memory or a package may be there by then."""
        if self.is_new and not self.facts.problem:
            earlier.add(self.id, self.facts.record())


class Decoded(NamedTuple):
    """The pictures that can be read.

    Attributes:
        copies: the paths of each picture id, sorted.
        sizes: width and height of each, px.
        problems: one of each file that cannot be decoded.
        signed: the ids of the N pictures that have a signature.
        signatures: (N, 32, 32), as `pictures.signature` makes them; 2 kB each.
    """

    copies: dict[str, list[str]]
    sizes: dict[str, tuple[int, int]]
    problems: list[Problem]
    signed: list[str]
    signatures: NDArray[np.float16]


def decode(
    files: Mapping[str, bytes],
    sha256: Mapping[str, str],
    paths: Sequence[str],
    meanings: Mapping[str, Meaning],
    report: Report,
    earlier: Known,
) -> Decoded:
    """Decode every file in full, unless an earlier run did and found no problem.

    Args:
        files: content by path.
        sha256: hex digest of each content by path; its first half is the picture's id.
        paths: of the files to decode, sorted.
        meanings: by path; files without one are decoded for their problems alone.
        report: shows progress.
        earlier: facts that earlier runs found; new ones are added.
    """
    copies: dict[str, list[str]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    one_of_each: dict[tuple[int, int], tuple[int, int]] = {}  # equal sizes are one object
    problems: list[Problem] = []
    signed: list[str] = []
    looked = _looked(files, sha256, paths, earlier)
    with SignatureFile() as signatures:
        for path, file in zip(paths, report.progress(looked, len(paths), "decode"), strict=True):
            file.keep(earlier)
            if file.facts.problem:
                problems.append(Problem(path, file.facts.problem, file.facts.detail))
            elif path in meanings:
                if file.id in copies:
                    copies[file.id].append(path)
                    continue
                copies[file.id] = [path]
                size = (file.facts.width, file.facts.height)
                sizes[file.id] = one_of_each.setdefault(size, size)
                if file.facts.signature:
                    signed.append(file.id)
                    signatures.add(file.facts.signature)
        return Decoded(copies, sizes, problems, signed, signatures.array())


def _looked(
    files: Mapping[str, bytes], sha256: Mapping[str, str], paths: Sequence[str], earlier: Known
) -> Iterator[_File]:
    """Look at every file, with threads of this process or with workers."""
    workers = workers_for(sum(sha256[path][:32] not in earlier for path in paths))
    if workers is None:
        yield from in_order(partial(_look, files, sha256, earlier), paths)
        return
    from headstart.indexing.elsewhere import facts_elsewhere  # late: seldom needed

    ids = {path: sha256[path][:32] for path in paths}
    new = {path: picture for path, picture in ids.items() if picture not in earlier}
    made = facts_elsewhere(workers, files, new)
    for path in paths:
        if path in new:
            yield _File(new[path], True, Facts.of_record(next(made)))
        else:
            yield _look(files, sha256, earlier, path)


def _look(
    files: Mapping[str, bytes], sha256: Mapping[str, str], earlier: Known, path: str
) -> _File:
    """Read a file and decode it in full, unless an earlier run did and found no problem."""
    picture = sha256[path][:32]
    if (found := earlier.get(picture)) and not (facts := Facts.of_record(found)).problem:
        return _File(picture, False, facts)
    return _File(picture, True, find_facts(files[path]))
