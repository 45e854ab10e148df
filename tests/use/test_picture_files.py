"""Pictures that the user names, as a source of batches."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from headstart.use.picture_files import PictureFiles
from headstart.views.gpu_crops import GpuPixels
from headstart.views.pictures import Pictures
from tests.small_networks import PREPROCESSING, SIZE, SQUARE, picture

CPU = torch.device("cpu")


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
def test_a_bad_file_keeps_its_place_in_the_batch(tmp_path: Path, as_on_a_gpu: bool) -> None:
    """The other crops are those of a batch without it."""
    picture(0).save(tmp_path / "0.png")
    (tmp_path / "bad.png").write_text("no picture")

    def batch(*pictures: Path) -> tuple[torch.Tensor, dict[str, str]]:
        files = PictureFiles(pictures, PREPROCESSING)
        shown = Pictures.of(files, SIZE, SQUARE, CPU)
        if as_on_a_gpu:
            shown = replace(shown, on_gpu=GpuPixels(files.encoded, CPU, room=0))
        return next(shown.plain([files.ids])), files.problems

    good = tmp_path / "0.png"
    whole, problems = batch(good, tmp_path / "bad.png", good)
    alone, none = batch(good)
    assert problems == {"1": "its bytes are no picture that Pillow knows"} and none == {}
    assert torch.equal(whole[0], alone[0]) and torch.equal(whole[2], alone[0])
