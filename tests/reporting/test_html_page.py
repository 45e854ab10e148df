"""What a page takes, and what it shows of a figure."""

import base64
import io

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from headstart.reporting.confusion_figures import HEADING, Tile, contact_sheet_figure
from headstart.reporting.html_page import contact_sheet, html_page


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="splits"):
        html_page("single_label.html", summary="None is wrong.")


def test_what_is_shown_is_escaped() -> None:
    assert "&lt;script&gt;" in html_page("multi_label.html", summary="<script>", splits=[])


def test_a_contact_sheet_lacks_the_title_that_the_page_has() -> None:
    tiles = [Tile(np.zeros((4, 6, 3), np.uint8), "x.jpg", True)]
    figure = contact_sheet_figure([("dog", tiles)], "Most wrong")
    head, _, content = contact_sheet(figure).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as shown:
        width, height = np.array(figure.get_size_inches()) * figure.dpi
        title = HEADING * figure.dpi
        assert shown.size == pytest.approx((width, height - title), abs=1)
