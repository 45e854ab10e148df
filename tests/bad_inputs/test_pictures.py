"""Broken pictures are problems with a reason, odd ones are read; neither takes long or much memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.pictures.facts import find_facts
from headstart.pictures.rgb import decode_rgb
from tests.bad_inputs.pictures import BROKEN, ODD, SIZE, arithmetic_jpeg, small
from tests.bad_inputs.readers import encoded

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's, which stages leave out


REASONS = {
    "empty.jpg": "zero_bytes",
    **dict.fromkeys(("zeros.jpg", "text.png", "page.jpg", "script.jpg"), "unreadable"),
    **dict.fromkeys(("bomb.png", "far-bomb.png", "long.png", "float.tiff"), "unusable"),
    **dict.fromkeys(("huge-numbers.tiff", "negative.tiff"), "unusable"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_a_problem_with_a_reason(name: str) -> None:
    start = time.process_time()
    facts = find_facts(BROKEN[name]())
    assert facts.problem == REASONS.get(name, "damaged") or name == "flat.png"
    assert facts.problem and 8 < len(facts.detail) < 200 and "\n" not in facts.detail
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_is_read(name: str) -> None:
    facts = find_facts(ODD[name]())
    assert facts.problem == "", facts.detail
    wide = {"one.png": (1, 1), "line.png": (1, 20_000), "row.jpg": (20_000, 1)}.get(name, SIZE)
    turned = name in {f"turn-{turn}.jpg" for turn in range(5, 9)}
    assert (facts.width, facts.height) == (wide[::-1] if turned else wide)


def test_arithmetic_coding_is_read_or_a_problem() -> None:
    facts = find_facts(arithmetic_jpeg())
    assert (facts.width, facts.height) == SIZE or facts.detail


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_a_picture_cut_at_each_tenth_byte(form: str, figures: Callable[[str], None]) -> None:
    whole = encoded(small(), form)
    pixels, n_noticed = decode_rgb(whole).tobytes(), 0
    cuts = [whole[:n] for n in range(0, len(whole), 10)]
    for cut in cuts:
        facts = find_facts(cut)
        n_noticed += bool(facts.problem)
        if not facts.problem:  # only what comes after the pixels is gone
            assert len(cut) >= len(whole) - 50 and decode_rgb(cut).tobytes() == pixels
        else:
            assert facts.problem in ("zero_bytes", "unreadable", "damaged") and facts.detail
    figures(f"{form}: {len(cuts)} cuts, {n_noticed} noticed, the others lost nothing")
    assert n_noticed >= len(cuts) - 5


MEASURED = """
import sys
from tests.bad_inputs.pictures import bomb, picture, exif, encoded
from headstart.pictures.facts import find_facts
kind = sys.argv[1]
if kind == "jpeg":
    from PIL import Image
    data = encoded(Image.new("RGB", (10_480, 10_480)), "JPEG", exif=exif(6))
    sys.stdout.buffer.write(data)
else:
    sys.stdout.buffer.write(bomb(10_480, *map(int, kind.split("-"))))
"""
LOOK = """
import sys, time
from headstart.pictures.facts import find_facts
from tests.bad_inputs.worker import peak_bytes
start, data = time.process_time(), sys.stdin.buffer.read()
facts = find_facts(data)
seconds = time.process_time() - start
print(facts.width, peak_bytes() / 2**30, seconds)
"""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["jpeg", "8-2", "8-6", "16-0", "1-0"])
def test_the_largest_picture_takes_less_than_a_gigabyte(
    kind: str, figures: Callable[[str], None]
) -> None:
    """110 million pixels: RGB turned by EXIF, RGB, RGBA, 16 bits, one bit (half a minute)."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}

    def run(code: str, *arguments: str, given: bytes = b"") -> bytes:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, input=given, capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    said = run(LOOK, given=run(MEASURED, kind)).split()
    width, gb, seconds = int(said[0]), float(said[1]), float(said[2])
    figures(f"{kind}: {gb:.2f} GB, {seconds:.1f} s")
    assert width == 10_480 and gb < 1 and seconds < 10
