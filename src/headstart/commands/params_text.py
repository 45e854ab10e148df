"""Writes choices into the text of a params file, whose comments stay."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ruamel.yaml import YAML

from headstart.commands.choices import Choice
from headstart.project.short import printable

COLUMN = 33  # of the comments behind the values
_SEAL = re.compile(r"\n# digest of what stands above: ([0-9a-f]{16})\n\Z")


def with_choices(recipe: str, choices: Iterable[Choice], header: Sequence[str]) -> str:
    """The text of a recipe with other values, each with its reason as a comment, and a new header.

    Args:
        recipe: a complete params file.
        choices: keys must exist in the recipe.
        header: lines that replace the comment on top, without `# `.

    Raises:
        KeyError: a key does not exist.
    """
    content, lines = YAML().load(recipe), recipe.splitlines()
    for key, value, reason in choices:
        *path, last = key.split(".")
        section: Any = content
        for part in path:
            section = section[int(part) if part.isdigit() else part]
        line, column = section.lc.value(last)
        setting = f"{lines[line][:column]}{_on_one_line(value)}"
        lines[line] = f"{setting:<{COLUMN - 1}} # {printable(reason)}"
    body = "\n".join(lines)
    body = re.sub(r"\A(#.*\n|\n)*", "", body)  # its own header
    on_top = "\n".join(f"# {printable(line)}".rstrip() for line in header)
    return sealed(f"{on_top}\n\n{body}")


def sealed(text: str) -> str:
    """The text with a last line that shows whether somebody has changed it since."""
    return f"{text.rstrip()}\n\n# digest of what stands above: {_digest(text)}\n"


def is_sealed(text: str) -> bool:
    """Whether the text is as `sealed` returned it."""
    found = _SEAL.search(text)
    return found is not None and found[1] == _digest(text[: found.start()])


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def _on_one_line(value: Any) -> str:
    """A value in YAML; text is quoted unless it is a plain word or path."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z/][\w./-]*", value):
        return value
    return json.dumps(value, ensure_ascii=False)
