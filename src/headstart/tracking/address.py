"""The address of the store as messages may show it: without passwords and tokens."""

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

HIDDEN = "***"
GIVEN = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""MLflow's own variables that are secrets."""
SHORT = 4  # characters; anything shorter is also a part of many words
_FILE = re.compile(r"(?:sqlite|file)[+\w]*:")
_USER_OF_FILE, _USER = re.compile(r"(?<=://)[^/]*@"), re.compile(r"(?<=://)[^?]*@")
_VALUE = re.compile(r"(?<==)[^&;#]+")


def shown(uri: str) -> str:
    """Return the address with *** for its user and password, and for each value of its query.

    A path of a local file stays as it is: `?`, `=` and `@` may be characters of its name.
    """
    if _FILE.match(uri):
        return _USER_OF_FILE.sub(f"{HIDDEN}@", uri)
    place, mark, query = _USER.sub(f"{HIDDEN}@", uri).partition("?")
    return place + mark + _VALUE.sub(HIDDEN, query)


def hide(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a message, of MLflow's for example, without the secrets of the store's address."""
    uri = environment.get("MLFLOW_TRACKING_URI", "")
    if uri:
        text = text.replace(uri, shown(uri))
    found = {*_secrets(uri), *(environment.get(name, "") for name in GIVEN)}
    for secret in sorted({*found, *map(unquote, found)} - {""}, key=len, reverse=True):
        word = re.escape(secret)
        text = re.sub(rf"(?<!\w){word}(?!\w)" if len(secret) < SHORT else word, HIDDEN, text)
    return text


def _secrets(uri: str) -> Iterator[str]:
    """The password of an address (its user, where that stands alone) and the values of its query."""
    is_file = _FILE.match(uri)
    if user := (_USER_OF_FILE if is_file else _USER).search(uri):
        name, _, password = user[0][:-1].partition(":")
        yield password or name
    if not is_file:
        yield from _VALUE.findall(uri.partition("?")[2])
