import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from headstart.pictures.facts import Facts, facts_key, find_facts
from headstart.pictures.plugins import plugin_versions, register_plugins, remedy
from headstart.pictures.rgb import decode_rgb

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40)
JXL = b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(40)

PLUGIN = """
from PIL import Image, ImageFile

class Heif(ImageFile.ImageFile):
    format = "HEIF"

    def _open(self):
        self._size, self._mode, self.tile = (7, 5), "RGB", []

    def load(self):
        self.im = Image.new("RGB", self.size, "red").im
        return super().load()

def register_heif_opener():
    Image.register_open("HEIF", Heif, lambda head: head[4:12] == b"ftypheic")
"""


@pytest.fixture(params=["pillow-heif", "pillow-jxl-plugin"])
def absent(request: pytest.FixtureRequest) -> str:
    """A package, if it is not installed."""
    if request.param in plugin_versions():
        pytest.skip(f"{request.param} is installed")
    return str(request.param)


@pytest.fixture
def heif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package pillow-heif, installed, which reads every HEIC as a red picture."""
    (tmp_path / "pillow_heif.py").write_text(PLUGIN)
    about = tmp_path / "pillow_heif-1.2.3.dist-info/METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: pillow-heif\nVersion: 1.2.3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pillow_heif", raising=False)
    register_plugins.cache_clear()
    opener, ids = dict(Image.OPEN), list(Image.ID)
    yield
    register_plugins.cache_clear()
    sys.modules.pop("pillow_heif", None)
    Image.OPEN.clear()
    Image.OPEN.update(opener)
    Image.ID[:] = ids


def test_the_package_that_would_read_a_file_is_named(absent: str) -> None:
    data, name = (HEIC, "HEIC") if absent == "pillow-heif" else (JXL, "JPEG XL")
    assert find_facts(data) == Facts(
        problem="needs_package", detail=f"{name}: pip install {absent}"
    )
    assert absent not in str(facts_key())


def test_an_installed_package_reads_its_form(heif: None) -> None:
    assert find_facts(HEIC) == Facts(7, 5)
    assert decode_rgb(HEIC).getpixel((0, 0)) == (255, 0, 0)
    assert remedy("heic") == ""


def test_facts_of_other_packages_are_not_reused(heif: None) -> None:
    assert json.loads(json.dumps(facts_key()))["versions"]["pillow-heif"] == "1.2.3"


def test_a_damaged_file_is_damaged_where_the_package_is_installed(heif: None) -> None:
    assert find_facts(b"\x00\x00\x00\x18ftypheix" + bytes(16)).problem == "unreadable"


@pytest.mark.parametrize(("pillow", "form"), [("JPEG2000", "jp2"), ("AVIF", "avif")])
def test_a_pillow_without_a_form_is_told(
    pillow: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, pillow)
    assert find_facts(buffer.getvalue()) == Facts(40, 30)
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    found = find_facts(buffer.getvalue()[:60])
    assert found.problem == "needs_package" and found.detail.endswith("--force-reinstall pillow")
    assert remedy(form) == found.detail and remedy("jpeg") == remedy("") == ""
