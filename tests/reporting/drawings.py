"""Draws a chart by its macro, as a page does, and reads the markup."""

import html
import json
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from headstart.reporting.html_page import _templates


def drawn(macro: str, chart: object) -> str:
    """The markup of a chart; it is well-formed and asks for nothing from outside."""
    text = f'{{% from "charts.html" import {macro} %}}{{{{ {macro}(chart) }}}}'
    markup = _templates().from_string(text).render(chart=chart)
    closed = re.sub(r"<(input|br)\b([^>]*)>", r"<\1\2/>", markup).replace(" checked/>", "/>")
    ElementTree.fromstring(f"<div>{closed}</div>")
    assert not re.search(r"https?:|url\(|@import|src=|href=", markup)
    return markup


def words(markup: str) -> str:
    """The text that a person reads, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def readings(markup: str) -> list[Any]:
    """What the script reads from the attribute."""
    found = re.search(r"data-readings='([^']*)'", markup)
    assert found is not None
    return list(json.loads(html.unescape(found[1])))


def lines_of(markup: str, name: str) -> list[str]:
    """x1 of each vertical line of a class, in the order of the page."""
    return re.findall(rf'<line class="{name}" x1="([\d.]+)%"', markup)
