"""Versions of packages: what is installed, as pins, and in the keys of what is kept."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from headstart.activations.frozen import FrozenBackbone
from headstart.kept.records import known_records, made_once, rows_once
from headstart.pictures.facts import facts_key
from headstart.pictures.resized import ResizedPictures, write_resized
from headstart.project import versions as module
from headstart.project.report import Silent
from headstart.project.versions import NETWORKS, PICTURES, as_pins, pins_in, versions
from headstart.steps.resize import ResizeParams, resize
from tests.small_networks import small_backbone, small_pictures

PARAMS = ResizeParams(size_px=16, codec="png", quality=90)


def test_they_are_those_that_run() -> None:
    here = versions()
    assert (here["torch"], here["numpy"]) == (torch.__version__, np.__version__)
    assert here["pillow"] == PIL.__version__
    assert here.keys() >= {"torch", "torchvision", "timm", "pillow", "numpy"}
    assert versions("numpy", "no such package") == {"numpy": np.__version__}


def test_pins_are_read_as_they_were_written() -> None:
    assert pins_in(as_pins(versions())) == versions()
    assert as_pins({"torch": "2.9.1+cpu", "timm": "1.0"}) == "torch==2.9.1+cpu timm==1.0"
    assert pins_in("") == {}


@pytest.mark.parametrize("text", ["any", "torch==", "==2", "torch==2==3", "torch==1 torch==2"])
def test_other_texts_are_no_pins(text: str) -> None:
    with pytest.raises(ValueError, match="package==version, with spaces between"):
        pins_in(text)


def install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let another version of `package` be installed."""
    real = module._version
    monkeypatch.setattr(module, "_version", lambda p: "0.0.1" if p == package else real(p))


def png(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


class Files(dict[str, bytes]):
    """Counts how often a file is read."""

    n_read = 0

    def __getitem__(self, path: str) -> bytes:
        self.n_read += 1
        return super().__getitem__(path)


@pytest.mark.parametrize("package", ["pillow", "numpy", "pillow-heif"])
def test_pictures_kept_by_other_versions_are_not_used(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    files, rows = Files(a=png(0), b=png(1)), [("0", "a"), ("1", "b")]

    def n_resized() -> int:
        files.n_read = 0
        assert len(list(resize(rows, files, PARAMS, Silent(), made_once))) == 2
        return files.n_read

    def n_known() -> int:
        with known_records(facts_key()) as known:
            found = sum(name in known for name in files)
            for name in files:
                known.add(name, b"facts")
        return found

    def copies() -> list[ResizedPictures]:
        stored = ResizedPictures(tmp_path / "resized")
        return [stored.at(4, Silent())]

    write_resized(
        tmp_path / "resized",
        ((i, data) for i, data in resize(rows, files, PARAMS, Silent())),
        PARAMS.manifest(),
    )
    assert (n_resized(), n_known()) == (2, 0)
    assert (n_resized(), n_known()) == (0, 2)
    [before] = copies()
    install(monkeypatch, package)
    assert (n_resized(), n_known()) == (2, 0)
    assert PARAMS.manifest()[package] == "0.0.1"
    [after] = copies()
    assert before.manifest.get(package) != after.manifest[package] == "0.0.1"


@pytest.mark.parametrize("package", NETWORKS)
def test_features_kept_by_other_versions_are_not_used(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    pictures, ids = small_pictures(), ["0", "1"]
    asked: list[Any] = []

    def once(shaped_by: Any, wanted: Any, make: Any) -> Any:
        def made(new: Any) -> Any:
            asked.extend(new)
            return make(new)

        yield from rows_once({i: f"{i}" * 64 for i in ids})(shaped_by, wanted, made)

    frozen = FrozenBackbone(small_backbone(), pictures, Silent(), once)
    for n_made in (2, 2):
        assert len(list(frozen.features(ids, None, ""))) == 2
        assert len(asked) == n_made
    install(monkeypatch, package)
    assert len(list(frozen.features(ids, None, ""))) == 2
    assert len(asked) == 4


def test_the_versions_of_pictures_and_networks_are_all() -> None:
    assert versions().keys() == (versions(*NETWORKS) | versions(*PICTURES)).keys()
