"""Makes what a file says, or is called, fit for a sentence."""

import re
from collections.abc import Iterable

N_CHARACTERS = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(name: str) -> str:
    """A name on one line: a sign that would move the cursor, or is half of one, as Python writes it."""
    return _CONTROL.sub(lambda sign: ascii(sign[0])[1:-1], name)


def cut(text: str, n: int = N_CHARACTERS) -> str:
    """The beginning of a text, with … where more follows."""
    return text if len(text) <= n else f"{text[:n]}…"


def listed(names: Iterable[str], n: int = N_CHARACTERS) -> str:
    """The first of some names, and how many more there are."""
    names, left = list(names), n
    shown: list[str] = []
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
