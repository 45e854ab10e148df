"""Self-contained HTML pages: styles and images are embedded."""

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from headstart.reporting.confusion_figures import HEADING


def html_page(template: str, **values: Any) -> str:
    """Render a page of templates/; every value is escaped.

    Raises:
        UndefinedError: the template shows a value that is not given.
    """
    return _templates().get_template(template).render(values)


def image(figure: Figure) -> str:
    """A figure as the `src` of an <img>, a PNG; the same figure gives the same bytes."""
    return _source(figure, "png", metadata={"Software": None})


def contact_sheet(figure: Figure) -> str:
    """A contact sheet, without its title, as the `src` of an <img>: a JPEG, a fifth of the PNG."""
    width, height = figure.get_size_inches()
    below_title = Bbox([[0, 0], [width, height - HEADING]])
    return _source(figure, "jpeg", bbox_inches=below_title, pil_kwargs={"quality": 85})


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _source(figure: Figure, form: str, **options: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, **options)
    return f"data:image/{form};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
