"""Says what index-images found and does not use: files that are no pictures, and problems."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from headstart.indexing.labelling import Problem
from headstart.project.short import printable

N_SHOWN = 20  # problems that a message lists
N_SUFFIXES = 8  # suffixes that a message lists
NOT_ONE_SHOT = (
    " If near duplicates are not of one shot, set index_images.near_duplicates to report."
)
N_NAMES = 3  # files of a suffix that a message names


def left_aside(paths: Iterable[str]) -> str:
    """A sentence that counts files that are no pictures by suffix, the most first; '' if none."""
    counts = _counted(paths)
    return f"Left aside, as they are no pictures that headstart reads: {counts}." if counts else ""


def no_pictures(paths: Iterable[str]) -> str:
    """A sentence that names the files that were found where there is no picture at all."""
    found = _counted(paths, N_NAMES) or "no files"
    return f"dataset.source holds no pictures: it holds {found}; set it to a folder of pictures."


def alike_classes(classes: Iterable[str]) -> list[str]:
    """A sentence for classes whose names differ only in how they are written: mostly a slip."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold())
        plain = re.sub(r"[-_\s]+", " ", plain).strip()
        groups.setdefault(plain, []).append(name)
    return [
        f"The classes {' and '.join(map(ascii, names))} differ only in case, spaces, - or _, or "
        "in Unicode form: if they are one class, rename one."
        for names in groups.values()
        if len(names) > 1
    ]


def packages_needed(problems: Iterable[Problem]) -> list[str]:
    """A line for each form that needs a package: how many files have it, and how to install that."""
    needed = Counter(p.detail for p in problems if p.problem == "needs_package")
    return [
        f"{n} {'file is' if n == 1 else 'files are'} {detail}" for detail, n in needed.most_common()
    ]


def all_in_one(problems: Sequence[Problem]) -> str:
    """One message that lists the problems, at most N_SHOWN, the rarest kinds first.

    Files that need a package are not listed but counted, since one remedy is for all of them.
    """
    n = Counter(problem.problem for problem in problems)
    single = [problem for problem in problems if problem.problem != "needs_package"]
    rarest_first = sorted(single, key=lambda problem: (n[problem.problem], problem.problem))
    lines = [f"  {line}" for line in packages_needed(problems)]
    lines += [
        f"  {printable(path)}: {kind}: {detail}" for path, kind, detail in rarest_first[:N_SHOWN]
    ]
    if len(single) > N_SHOWN:
        lines.append(f"  ... and {len(single) - N_SHOWN} more")
    kinds = ", ".join(f"{n[kind]} {kind}" for kind in sorted(n))
    return (
        f"{len(problems)} problems with the pictures ({kinds}):\n" + "\n".join(lines) + "\n"
        "Correct them in dataset.source, or set index_images.on_problem to set_aside."
    ) + (NOT_ONE_SHOT if n["near_duplicate"] else "")


def _counted(paths: Iterable[str], n_names: int = 0) -> str:
    """The number of files of each suffix, the most first, with the first `n_names` of each."""
    groups: dict[str, list[str]] = {}
    for path in sorted(paths):
        suffix = PurePosixPath(path).suffix.lower()
        known = re.fullmatch(r"\.\w{1,10}", suffix)  # and not the end of a sentence
        groups.setdefault(suffix if known else "without suffix", []).append(path)
    most_first = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    said = []
    for suffix, files in most_first[:N_SUFFIXES]:
        names = [*files[:n_names], *(["..."] if len(files) > n_names else [])]
        said.append(
            f"{len(files)} {suffix}" + (f" ({', '.join(map(printable, names))})" if n_names else "")
        )
    if n_more := sum(len(files) for _, files in most_first[N_SUFFIXES:]):
        said.append(f"{n_more} others")
    return ", ".join(said)
