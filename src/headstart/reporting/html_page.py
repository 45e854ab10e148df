"""One HTML page that needs nothing beside it: style and pictures inside."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from matplotlib.figure import Figure

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a202c; background: #f7fafc; margin: 0 }
main { max-width: 1240px; margin: 0 auto; padding: 24px 32px 64px }
h1 { margin: 8px 0 0; font-size: 28px } h2 { margin: 40px 0 8px; font-size: 20px }
p { margin: 4px 0 12px; color: #4a5568 } p.lead { font-size: 18px }
.cards { display: flex; flex-wrap: wrap; gap: 16px; margin: 20px 0 }
.card { background: white; border: 1px solid #e2e8f0; border-radius: 10px; padding: 12px 20px }
.card b { display: block; font-size: 28px; line-height: 1.3 }
small { color: #718096; white-space: nowrap }
.box { background: white; border: 1px solid #e2e8f0; border-radius: 10px; padding: 12px 16px;
  margin: 0 0 16px; width: fit-content; max-width: 100%; box-sizing: border-box; overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 5px 8px; text-align: right; vertical-align: top }
th:first-child, td:first-child { text-align: left }
.row { display: flex; flex-wrap: wrap; gap: 0 32px } .row > div { max-width: 100% }
th[colspan] { text-align: center } td small { display: block; font-weight: 400 }
tr + tr > * { border-top: 1px solid #edf2f7 }
th { color: #4a5568; font-weight: 600 } tr.chosen { font-weight: 600 }
img { display: block; max-width: 100%; height: auto }
"""


def html_page(title: str, parts: Sequence[str], style: str = "") -> str:
    """A whole page of `parts`, with `style` after STYLE; nothing of it is escaped but the title."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}{style}</style></head><body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def section(heading: str, text: str, content: str) -> str:
    """A heading and a text, both escaped, and HTML in a box, where there is any."""
    box = f'<div class="box">{content}</div>' if content else ""
    return f"<h2>{escape(heading)}</h2><p>{escape(text)}</p>{box}"


def image(figure: Figure) -> str:
    """A figure as a PNG inside the page: the same figure gives the same bytes."""
    return _embedded(figure, "png", metadata={"Software": None})


def photos(figure: Figure) -> str:
    """The same as a JPEG, a fifth of the size where the figure is mostly pictures."""
    return _embedded(figure, "jpeg", pil_kwargs={"quality": 85})


def _embedded(figure: Figure, form: str, **options: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, **options)
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="" src="data:image/{form};base64,{content}">'
