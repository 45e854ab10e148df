"""Shortens what a file says, so that a sentence about it stays one."""

from collections.abc import Iterable

N_CHARACTERS = 200


def cut(text: str, n: int = N_CHARACTERS) -> str:
    """The beginning of a text, with … where more follows."""
    return text if len(text) <= n else f"{text[:n]}…"


def listed(names: Iterable[str], n: int = N_CHARACTERS) -> str:
    """The first of some names, and how many more there are."""
    names, shown, left = list(names), [], n
    for name in names:
        left -= len(name) + 2
        if left < 0 and shown:
            return f"{', '.join(shown)} and {len(names) - len(shown)} more"
        shown.append(cut(name, n))
    return ", ".join(shown)


def first_line(error: BaseException) -> str:
    """The first line of an error of a library, without a full stop; its kind if it says nothing."""
    line = next(iter(str(error).splitlines()), "").rstrip(". ")
    return cut(line) or type(error).__name__
