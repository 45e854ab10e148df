"""The page in a browser: nothing overflows and nothing is loaded, however long the names are."""

from pathlib import Path

import pytest
from PIL import Image

from headstart.comparison.comparison import compare
from headstart.comparison.page import comparison_page
from tests.browser import looked_at
from tests.comparison.runs import PARAMS, Said, cats, right, run_of, wrong

CLASSES = ("x" * 120, "many words " * 12, "</style><img src=http://example.invalid/x.png>")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_nothing_is_loaded(tmp_path: Path, width: int) -> None:
    ids = [f"{number:064d}" for number in range(8)]
    long = {"tune": {"a_long_name" * 9: "a/long/path/" * 20, "phases": [{"lr": 0.1}]}}
    runs = []
    for said, name in ((right(), "a" * 90), (wrong(), CLASSES[2])):
        rows = [Said(picture, [CLASSES[0]], said, "valid") for picture in ids]
        own = [Said(f"{name}{number}", [CLASSES[1]], said) for number in range(3)]
        scores = {"accuracy": 0.5, "accuracy_ci_low": 0.25, "accuracy_ci_high": 0.75}
        runs.append(
            run_of(
                [*rows, *own], CLASSES, name=name, commit="0123456 " + "subject" * 20,
                params=PARAMS | (long if name[0] == "a" else {}),
                inputs={"src/" + "room" * 40: name}, paths={ids[0]: "folder/" * 30 + "x" * 200},
                scores={"test": {"plain": scores}}, notes=["a note " * 30],
            )
        )  # fmt: skip

    def decode(picture: str) -> Image.Image:
        return Image.new("RGB", (80, 200), "red")

    page = comparison_page(compare(*runs), "plain", decode, ids[1:])
    found = looked_at(page, tmp_path, width)
    assert found["inner"] == width and found["scroll"] <= width
    assert found["outside"] == []
    assert found["refused"] == [] and all(name.startswith("data:") for name in found["asked"])


def test_the_pictures_are_shown(tmp_path: Path) -> None:
    a, b = run_of(cats({"x": right()})), run_of(cats({"x": wrong()}))
    page = comparison_page(compare(a, b), "plain", lambda _: Image.new("RGB", (80, 40)), ["x"])
    ask = "(e => [getComputedStyle(e).backgroundImage.slice(0, 20), e.clientWidth])"
    found = looked_at(page, tmp_path, 1280, f"{ask}(document.querySelector('.thumb'))")
    assert found["answer"] == ['url("data:image/jpeg', 176]
