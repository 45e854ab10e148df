"""Addresses that hold no secret, and texts from which secrets are taken out."""

import os
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

HIDDEN = "***"
HARMLESS = frozenset({"dl", "download", "raw", "ref", "revision", "version", "versionId"})
"""Names in a query that say which file is meant, and prove no right to read it."""
N_SHORT = 12  # characters; no signature is so short, but ids are
_SECRET_KEY = re.compile(r"sig|token|key|secret|pass|pwd|cred|auth|x-amz|x-goog", re.IGNORECASE)
N_SECRET = 8  # characters; shorter values of the environment are parts of usual words
_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"(?<=://)([^?#\s'\"]*)([?#])[^\s'\"]*")
_BARE_QUERY = re.compile(r"\?[^\s'\"]*=[^\s'\"]*")  # urllib3 tells addresses without their host
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|ACCESS_KEY|API_KEY|CREDENTIAL", re.IGNORECASE)


def why_secret(address: str) -> str:
    """Why an address may hold a secret; '' if it holds none.

    An address is written into files that git and others keep. Its query may say which file is meant,
    but hold nothing that could be a signature: no long value, and no name that sounds like one.
    """
    parts = urlsplit(address)
    if not parts.scheme or "://" not in address:
        return ""
    if "@" in parts.netloc:
        return "must not hold a user or password"
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in HARMLESS and (len(value) > N_SHORT or _SECRET_KEY.search(name)):
            return f"must not hold what may be a signature or token (?{name}=)"
    if parts.fragment and parts.scheme in ("http", "https"):
        return "must not hold a #"
    return ""


def masked(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text with *** for users and queries of addresses, and for secrets of the environment."""
    text = _QUERY.sub(rf"\1\2{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
    text = _BARE_QUERY.sub(f"?{HIDDEN}", text)
    for name, value in environment.items():
        if len(value) >= N_SECRET and _SECRET_NAME.search(name):
            text = text.replace(value, HIDDEN)
    return text
