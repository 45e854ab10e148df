"""Names of files and folders made from any text."""

import re

from headstart.image_files.tree import is_hidden

MAX_BYTES = 120
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")


def safe_name(text: str) -> str:
    """A name like the text, for one file or folder that `list_tree` lists.

    What no name may hold (/, \\, control characters, halves of a character) becomes _, and so does an
    empty name. A hidden name gets _ before it. A long one is cut to MAX_BYTES. Two texts may get one
    name.
    """
    name = _UNSAFE.sub("_", text.strip()).encode()[:MAX_BYTES].decode(errors="ignore").strip()
    return f"_{name}" if not name or is_hidden(name) else name
