"""Finds the picture of each id of a table, or guesses the params under which there would be one."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar
from unicodedata import normalize

from headstart.indexing.several_tables import pattern_of
from headstart.project.errors import HeadstartError
from headstart.project.short import listed

ANY = "*"
"""index_images.csv_folder of ids that name pictures in any folder."""

_N_TRIED = 200  # ids from which a setting is guessed

T = TypeVar("T")


class Place(NamedTuple):
    """What makes the path of a picture from an id: the folder before it, the suffix behind it."""

    folder: str
    suffix: str


def by_path(
    labels: Mapping[str, set[T]], table: str, folder: str, suffix: str, paths: Collection[str]
) -> dict[str, set[T]]:
    """What the rows say of each path that an id stands for, such as its labels.

    An id and the name of its file may differ in Unicode form (a Mac may write accents as characters of
    their own). This counts for a file that no id names as it is, and where there is one such file.

    Args:
        labels: by id; a set, as several rows may have one id.
        table: path of the table.
        folder: of the pictures; '': the images folder, or the table's own folder if more ids stand
            for files there; '*': any.
        suffix: what follows the id in the file's name.
        paths: of all pictures.

    Raises:
        HeadstartError: no id stands for a picture, though there are some; or, in any folder, one
            stands for several.
    """
    known = frozenset(paths)
    own = str(PurePosixPath(table).parent)
    bases = [folder] if folder or own == "." else ["", own]
    of_base = [_joined(labels, base, suffix, known) for base in bases]
    best = max(of_base, key=lambda found: len(known & found.keys()))  # the first of equals
    if labels and known and known.isdisjoint(best):
        raise HeadstartError(
            f"none of the {len(labels)} ids of {table} is a picture: the first, "
            f"{next(iter(labels))!r}, stands for {next(iter(best))!r}, and there is no such picture "
            f"(the first is {min(known)!r}){_guess(labels, folder, suffix, known)}"
        )
    return best


def require_all_tables(tables: Sequence[str], files: Iterable[str], left: Iterable[str]) -> None:
    """Check that pictures without a row do not have their rows in another table of the same name.

    Args:
        tables: paths of the tables that are read, at least one.
        files: all paths of the images folder.
        left: pictures that the table does not name.

    Raises:
        HeadstartError: they do, as in Hugging Face's imagefolder with a metadata.csv a split.
    """
    names = {_name(table) for table in tables}
    others = {
        str(PurePosixPath(path).parent): path
        for path in files
        if _name(path) in names and path not in tables
    }
    folders = (
        {str(folder) for path in left for folder in PurePosixPath(path).parents} if others else ()
    )
    if found := sorted(others[folder] for folder in others if folder in folders):
        pattern = pattern_of([*tables, *found])
        remedy = (
            f'set index_images.labels to "{pattern}", which reads them as one.'
            if pattern
            else "join these tables into one in the images folder, with each picture's folder before "
            "its name, and set index_images.labels to it."
        )
        raise HeadstartError(
            f"index_images.labels names {', '.join(tables)} alone, but pictures without a row there "
            f"have {', '.join(found)} beside them: {remedy}"
        )


def _joined(
    labels: Mapping[str, set[T]], folder: str, suffix: str, known: frozenset[str]
) -> dict[str, set[T]]:
    found: defaultdict[str, set[T]] = defaultdict(set)
    if folder == ANY:
        for name, paths in _anywhere(labels, suffix, known).items():
            if len(paths) > 1:
                raise HeadstartError(
                    f'index_images.csv_folder is "*", but the id {name!r} is the name of '
                    f"{len(paths)} pictures ({listed(paths)}): write the path of each in the table."
                )
            found[paths[0] if paths else f"{name}{suffix}"] |= labels[name]
        return dict(found)
    for name, rows in labels.items():
        found[str(PurePosixPath(folder) / f"{name}{suffix}")] |= rows
    without_file = [path for path in found if path not in known]
    for path, file in in_other_forms(without_file, known - found.keys()).items():
        found[file] |= found.pop(path)
    return dict(found)


def is_clear(ids: Iterable[str], suffix: str, paths: Iterable[str]) -> bool:
    """Whether no id names two pictures, in whichever folders they lie."""
    return all(len(found) < 2 for found in _anywhere(ids, suffix, paths).values())


def _anywhere(ids: Iterable[str], suffix: str, paths: Iterable[str]) -> dict[str, list[str]]:
    """The pictures whose path ends with each id and the suffix, in any folder."""
    by_name = _by_name(paths)
    of_id = {}
    for name in ids:
        file = _nfc(str(PurePosixPath(f"{name}{suffix}")))
        alike = by_name.get(_name(file), ())
        of_id[name] = [path for path in alike if f"/{_nfc(path)}".endswith(f"/{file}")]
    return of_id


def _by_name(paths: Iterable[str]) -> dict[str, list[str]]:
    """The paths of each file name, sorted."""
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        by_name[_nfc(_name(path))].append(path)
    return by_name


def in_other_forms(unknown: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """The known name of each unknown one that only its Unicode form sets apart from one of them."""
    if not unknown:
        return {}
    of_form: defaultdict[str, list[str]] = defaultdict(list)
    for name in known:
        of_form[_nfc(name)].append(name)
    single = {form: alike[0] for form, alike in of_form.items() if len(alike) == 1}
    return {name: single[form] for name in unknown if (form := _nfc(name)) in single}


def places(ids: Iterable[str], paths: Iterable[str]) -> Counter[Place]:
    """How many of the ids name a picture, by the folder and suffix with which they do.

    Args:
        ids: of a table.
        paths: of all pictures.
    """
    by_name = _by_name(paths)
    suffixes = Counter(PurePosixPath(path).suffix for of_one in by_name.values() for path in of_one)
    found: Counter[Place] = Counter()
    for name in ids:
        for suffix in dict.fromkeys(["", *suffixes]):
            file = _nfc(str(PurePosixPath(f"{name}{suffix}")))
            for path in by_name.get(_name(file), ()):
                if f"/{_nfc(path)}".endswith(f"/{file}"):
                    folders = path.split("/")[: -file.count("/") - 1]
                    found[Place("/".join(folders), suffix)] += 1
    return found


def _guess(labels: Iterable[str], folder: str, suffix: str, known: frozenset[str]) -> str:
    """How the sentence ends: with the settings under which most ids would be pictures."""
    ids = list(islice(labels, _N_TRIED))
    found = places(ids, known).most_common(1)
    if not found or found[0][1] * 2 < len(ids):
        if all("\\" in name for name in ids):
            return "; its ids have \\ between folders: write / instead."
        if before := _before(ids, known):
            return f"; each id begins with {before!r}: remove that from the table."
        return "; correct index_images.id_column, id_suffix or csv_folder."
    right = found[0][0]
    meant = []
    if right.suffix != suffix:
        meant.append(f'index_images.id_suffix: "{right.suffix}"')
    if right.folder != folder:
        meant.append(f'index_images.csv_folder: "{right.folder}"')
    return f"; did you mean {' and '.join(meant)}?"


def _before(ids: Iterable[str], known: Iterable[str]) -> str:
    """What all ids have before the path of a picture, such as a folder of another machine; or ''."""
    by_name = _by_name(known)
    found = {
        next(
            (i.removesuffix(p) for p in by_name.get(_nfc(_name(i)), ()) if i.endswith(f"/{p}")), ""
        )
        for i in ids
    }
    return found.pop() if len(found) == 1 else ""


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _nfc(path: str) -> str:
    """With accents as parts of their letters."""
    return normalize("NFC", path)
