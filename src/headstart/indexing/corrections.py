"""Labels that the user has corrected: they change no split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from headstart.indexing.index import IndexImagesError
from headstart.indexing.labelling import Meaning, Problem
from headstart.indexing.table_paths import in_other_forms

Corrections = Mapping[str, str | tuple[str, ...] | None]
"""By a path below the images folder: the label, or the sorted labels; None: leave the picture out."""

NAME = "index_images.corrections"


def at_files(corrections: Corrections, pictures: Sequence[str]) -> Corrections:
    """The corrections by the paths of the files, where only a Unicode form set them apart.

    Args:
        corrections: as the params have them.
        pictures: the paths of all pictures.
    """
    unknown = sorted(corrections.keys() - pictures)
    other = in_other_forms(unknown, (path for path in pictures if path not in corrections))
    return {other.get(path, path): right for path, right in corrections.items()}


def corrected(
    known: Mapping[str, Meaning],
    corrections: Corrections,
    copies: Mapping[str, Sequence[str]],
    pictures: Sequence[str],
) -> tuple[dict[str, Meaning], tuple[str, ...]]:
    """The pictures with their corrected labels, without those left out; a sentence that counts both.

    It is called after the splits are drawn. A draw depends on the labels, so with corrected ones it
    would move other pictures from one split to another.

    Args:
        known: labels and split of each picture id.
        corrections: as `at_files` gives them.
        copies: the paths of each picture id that could be decoded.
        pictures: the paths of all pictures.

    Raises:
        IndexImagesError: a path has no picture; a picture has no label to correct, or two corrections;
            or no picture has such a label without the corrections.
    """
    if not corrections:
        return dict(known), ()
    picture_at = {path: picture for picture, paths in copies.items() for path in paths}
    labels = {label for said in known.values() for label in said.labels or ()}
    after = dict(known)
    by_picture: dict[str, str] = {}
    for path, right in corrections.items():
        if path not in picture_at:
            if path in pictures:  # it is set aside
                continue
            raise IndexImagesError(f"{NAME} names {path}, but {_no_picture(path, pictures)}.")
        picture = picture_at[path]
        if corrections[by_picture.setdefault(picture, path)] != right:
            raise IndexImagesError(
                f"{NAME} says {_said(corrections[by_picture[picture]])} for {by_picture[picture]} and "
                f"{_said(right)} for {path}, but both have the same content: give them one label."
            )
        if picture not in known:
            continue  # it is set aside, or beyond n_max_per_class
        if known[picture].labels is None:
            raise IndexImagesError(f"{NAME} names {path}, but it has no label to correct.")
        if right is None:
            after.pop(picture, None)  # another path of it may have left it out
            continue
        named = (right,) if isinstance(right, str) else right
        other = in_other_forms([label for label in named if label not in labels], labels)
        named = tuple(sorted({other.get(label, label) for label in named}))
        for label in named:
            if label not in labels:
                raise IndexImagesError(
                    f"{NAME} gives {path} the label {label}, but {_no_label(label, labels)}."
                )
        after[picture] = replace(known[picture], labels=named)
    return after, _sentence(known, after)


def left_out(corrections: Corrections, copies: Mapping[str, Sequence[str]]) -> set[str]:
    """The picture ids that are to be left out by any of their paths.

    Args:
        corrections: as `at_files` gives them.
        copies: the paths of each picture id.
    """
    out = {path for path, right in corrections.items() if right is None}
    return {i for i, paths in copies.items() if not out.isdisjoint(paths)} if out else set()


def still_problems(
    problems: Iterable[Problem], corrections: Corrections, copies: Mapping[str, Sequence[str]]
) -> list[Problem]:
    """The problems without those of files that are to be left out, and of their copies.

    Args:
        problems: of any kind.
        corrections: as `at_files` gives them.
        copies: the paths of each picture id.
    """
    out = {path for path, right in corrections.items() if right is None}
    out.update(path for i in left_out(corrections, copies) for path in copies[i])
    return [problem for problem in problems if problem.path not in out]


def _no_picture(path: str, paths: Sequence[str]) -> str:
    like = get_close_matches(path, paths, n=1)
    return "no picture has this path" + (f": did you mean {like[0]}" if like else "")


def _no_label(label: str, labels: set[str]) -> str:
    like = get_close_matches(label, labels, n=1)
    hint = like[0] if like else ", ".join(sorted(labels)[:5])
    return f"no picture has it: {'did you mean' if like else 'the labels are'} {hint}"


def _said(right: str | tuple[str, ...] | None) -> str:
    return "null" if right is None else right if isinstance(right, str) else " ".join(right)


def _sentence(known: Mapping[str, Meaning], after: Mapping[str, Meaning]) -> tuple[str, ...]:
    n_out = len(known) - len(after)
    n_other = sum(said.labels != known[picture].labels for picture, said in after.items())
    if not n_out + n_other:
        return ()
    labels = f"{n_other:,} label{'' if n_other == 1 else 's'}"
    out = f"; {n_out:,} picture{'' if n_out == 1 else 's'} left out" if n_out else ""
    return (f"{NAME}: {labels} corrected{out}.",)
