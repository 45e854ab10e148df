"""The page: pictures on which the runs disagree, as far as they are stored here."""

import re

from PIL import Image

from headstart.comparison.comparison import compare
from headstart.comparison.page import N_PICTURES, comparison_page
from headstart.comparison.runs import Run
from headstart.evaluation.predictions import Kind
from tests.comparison.runs import PARAMS, Said, cats, right, run_of, wrong


def page_of(a: Run, b: Run, kind: Kind = "plain") -> str:
    def decode(picture: str) -> Image.Image:
        return Image.new("RGB", (400, 300), "red")

    stored = {row for run in (a, b) for row in run.predictions.table["id"]} - {"away"}
    return comparison_page(compare(a, b), kind, decode, stored)


def test_the_pictures_that_one_gets_right() -> None:
    a = run_of(cats({"x": right(), "away": right(), "y": wrong()}), paths={"x": "cats/x 1.jpg"})
    b = run_of(cats({"x": wrong(), "away": wrong(0.2), "y": right(0.7)}))
    page = page_of(a, b)
    assert "Only a is right: 2 (plain)" in page and "Only b is right: 1 (plain)" in page
    assert page.count("url(data:image/jpeg;base64,") == page.count('class="thumb p') == 2
    assert page.count("not stored in this workspace") == 1
    assert '<small class="file" title="cats/x 1.jpg">x 1.jpg</small>' in page
    assert '<span class="right">a: cat 0.80</span>' in page
    assert '<span class="wrong">b: eel 0.90</span>' in page


def test_a_group_is_cut_and_says_so() -> None:
    ids = [f"{i:03}" for i in range(N_PICTURES + 1)]
    a, b = run_of(cats(dict.fromkeys(ids, right()))), run_of(cats(dict.fromkeys(ids, wrong())))
    page = page_of(a, b, "tta")
    assert f"The first {N_PICTURES}." in page and page.count("<figure>") == N_PICTURES
    assert "Only b is right" not in page


def test_labels_of_a_picture_have_no_probability() -> None:
    a = run_of([Said("x", ["cat", "owl"], [0.9, 0.0, 0.9])], task="multi_label")
    b = run_of([Said("x", ["cat", "owl"], [0.1, 0.1, 0.1])], task="multi_label")
    page = page_of(a, b)
    assert '<span class="right">a: cat, owl</span>' in page
    assert '<span class="wrong">b: no label</span>' in page


def test_what_the_user_wrote_is_escaped_and_nothing_is_loaded() -> None:
    a = run_of(cats({"x": right()}), name="<em>", paths={"x": "<i>.jpg"})
    params = {**PARAMS, "head": {"<u>": "<s>"}}
    page = page_of(a, run_of(cats({"x": wrong()}), params=params))
    assert not re.search("<em>|<i>|<u>|<s>", page)
    assert "&lt;i&gt;.jpg" in page and "head.<wbr>&lt;u&gt;" in page
    assert not re.search(r"""(src|href)=["'](?!data:)|@import|url\((?!data:)""", page)
