"""The address of the store, as messages show it."""

import os
import re
from pathlib import Path

import pytest

from headstart.tracking.address import hide, shown
from headstart.tracking.runs import reason
from headstart.tracking.store import store_name

SRC = Path(__file__).parents[2] / "src/headstart"

SHOWN = {
    "http://ada:pa55word@host:5000": "http://***@host:5000",
    "https://t0ken@host/path": "https://***@host/path",
    "https://ada:p@ss/w0rd@host/x": "https://***@host/x",
    "postgresql+psycopg2://ada:pa55word@host/db": "postgresql+psycopg2://***@host/db",
    "https://host/x?token=abc&key=d%20e#top": "https://host/x?token=***&key=***#top",
    "http://ada:pa55word@host?a=b@c": "http://***@host?a=***",
    "http://127.0.0.1:9": "http://127.0.0.1:9",
    "sqlite:////a@b/c?d=e.db": "sqlite:////a@b/c?d=e.db",
    "sqlite+pysqlcipher://:pa55word@/x.db?cipher=aes": "sqlite+pysqlcipher://***@/x.db?cipher=aes",
    "": "",
}


@pytest.mark.parametrize("uri", SHOWN)
def test_an_address_is_shown_without_its_secrets(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(uri) == SHOWN[uri]
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert store_name() == SHOWN[uri]


@pytest.mark.parametrize(
    ("uri", "secrets"),
    [
        ("http://ada:pa55word@host:5000", ["pa55word"]),
        ("http://ada:p%40ss%2Fword@host", ["p%40ss%2Fword", "p@ss/word"]),
        ("https://t0ken@host/path", ["t0ken"]),
        ("https://host/x?token=abcdef&key=d%20ef", ["abcdef", "d%20ef", "d ef"]),
        ("http://ada:x@host", ["'x'", ":x@"]),
    ],
)
def test_a_message_of_mlflow_loses_them_too(
    uri: str, secrets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for secret in (uri, f"{uri}/api/2.0", *secrets):
        said = reason(ConnectionError(f"API request to {secret} failed: maximal retries"))
        assert "***" in said and "API request to " in said and "failed: maximal retries" in said
        assert not any(each in said for each in secrets), said


def test_mlflows_own_secrets_are_hidden_and_no_secret_changes_nothing() -> None:
    own = {"MLFLOW_TRACKING_PASSWORD": "hunter2", "MLFLOW_TRACKING_TOKEN": "t0ken"}
    assert hide("hunter2 or t0ken", own) == "*** or ***"
    assert hide("a message", {}) == "a message"


def test_the_address_is_read_in_two_places_alone() -> None:
    """So no page, record or other message can hold it."""
    reads = re.compile(
        r"""(environ|environment|getenv).{0,9}["']MLFLOW_TRACKING_URI|get_tracking_uri"""
    )
    found = {path.name for path in SRC.rglob("*.py") if reads.search(path.read_text())}
    assert found == {"address.py", "store.py"}
    assert os.environ.get("MLFLOW_TRACKING_URI") is None
