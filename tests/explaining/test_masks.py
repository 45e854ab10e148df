"""Overlays of stored pictures, by a checkpoint."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.backbone.device import Compute
from headstart.explaining import masks as module
from headstart.explaining.heat_maps import heat_maps
from headstart.explaining.masks import Asked, masks
from headstart.explaining.overlay import MASK_PX, mask_png
from headstart.project.errors import HeadstartError
from tests.saved_networks import save_networks
from tests.small_networks import SIZE, SQUARE, StoredPictures, small_network, small_pictures

CPU = Compute(torch.device("cpu"), torch.float32, torch.float32)
ASKED = [Asked("3", 0, (48, 40)), Asked("1", 2, (48, 40)), Asked("3", 1, (48, 40))]


def test_each_overlay_is_that_of_the_class_asked_of_its_picture(tmp_path: Path) -> None:
    save_networks(tmp_path)
    found = masks(tmp_path / "net.safetensors", StoredPictures(), CPU, ASKED)
    pairs = [(one.picture, one.number) for one in ASKED]
    heats = heat_maps([small_network().eval()], small_pictures(SIZE), pairs)
    assert found == [mask_png(heat, (48, 40), SQUARE) for heat in heats]
    assert Image.open(io.BytesIO(found[0])).size == (MASK_PX, round(MASK_PX * 40 / 48))
    first, third = (np.asarray(Image.open(io.BytesIO(found[n])).convert("RGBA")) for n in (0, 2))
    assert not np.array_equal(first, third)


def test_a_network_that_cannot_say_where_it_looked_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise HeadstartError("the network sees 17 patches, which form no square")

    save_networks(tmp_path)
    monkeypatch.setattr(module, "heat_maps", refuse)
    assert masks(tmp_path / "two.safetensors", StoredPictures(), CPU, ASKED) == []
