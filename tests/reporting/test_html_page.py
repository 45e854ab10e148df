"""What a page takes, and what its frame allows."""

from typing import Any

import pytest
from jinja2 import UndefinedError

from headstart.reporting.drawings import Drawings
from headstart.reporting.html_page import html_page

AROUND: dict[str, Any] = {
    "near": [],
    "audit": None,
    "drawings": Drawings([], None, [], None),
    "facts": None,
}


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="splits"):
        html_page("single_label.html", summary="None is wrong.")


def test_what_is_shown_is_escaped() -> None:
    assert "&lt;script&gt;" in html_page(
        "multi_label.html", summary="<script>", splits=[], **AROUND
    )


def test_the_policy_of_a_page_lets_nothing_be_loaded() -> None:
    page = html_page("single_label.html", summary="", splits=[], **AROUND)
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    assert page.index("Content-Security-Policy") < page.index("<style>")
