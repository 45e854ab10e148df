"""Which decoder gives a GPU its pixels; that of the GPU is checked where there is one."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from headstart.views import gpu_decoding
from headstart.views.gpu_decoding import Decoder, has_all_colours

CPU = torch.device("cpu")


def file(number: int, form: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (5 + number, 8, 3), dtype=np.uint8)
    smooth = Image.fromarray(pixels).resize((48 + number, 40)).convert(mode)
    buffer = io.BytesIO()
    smooth.save(buffer, form, **options)
    return buffer.getvalue()


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (file(1, quality=92, subsampling=0), True),
        (file(1, subsampling=0, exif=b"Exif\0\0" + b"\0" * 300), True),
        (file(1, subsampling=0, comment="\xff\xc0"), True),
        (file(1, quality=92), False),  # 4:2:0
        (file(1, subsampling=1), False),  # 4:2:2
        (file(1, subsampling=0, progressive=True), False),
        (file(1, mode="L"), False),
        (file(1, mode="CMYK", subsampling=0), False),
        (file(1, subsampling=0, keep_rgb=True), False),
        (file(1, "PNG"), False),
        (file(1, subsampling=0)[:30], False),
        (b"", False),
    ],
)
def test_only_jpegs_with_the_colours_of_each_pixel_are_decoded_alike(
    data: bytes, wanted: bool
) -> None:
    assert has_all_colours(data) is wanted


class Gpu:
    """Stands in for a GPU's decoder, which may be wrong by some grey levels."""

    def __init__(self, wrong_by: int = 0) -> None:
        self.wrong_by, self.decoded = wrong_by, list[bytes]()

    def __call__(self, files: Sequence[bytes]) -> list[Tensor]:
        self.decoded += files
        return [torch.from_numpy(pixels_of(data) + np.uint8(self.wrong_by)) for data in files]


WHOLE = [file(number, subsampling=0) for number in range(4)]
OTHER = [file(9), file(10, "PNG")]


@pytest.mark.parametrize("wrong_by", [0, 1])
def test_pixels_are_the_same_whichever_decoder_gives_them(wrong_by: int) -> None:
    gpu = Gpu(wrong_by)
    decoder = Decoder(CPU, gpu_decoding._by_pillow, gpu)
    parts = [OTHER, [WHOLE[0], OTHER[0], WHOLE[1]], [*WHOLE[2:], OTHER[1]], []]
    for part in parts:
        for found, data in zip(decoder(part), part, strict=True):
            assert np.array_equal(found.numpy(), pixels_of(data))
    checked = [*WHOLE[:2], *WHOLE[:2]]  # decoded to be compared, and to be used
    assert gpu.decoded == (WHOLE[:2] if wrong_by else [*checked, *WHOLE[2:]])


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_for_a_gpu_threads_decode_as_pillow_does(form: str) -> None:
    """By torchvision where it was built for this torch, else by Pillow."""
    data = file(1, form)
    assert np.array_equal(gpu_decoding._on_cpu(torch.device("cuda"))(data), pixels_of(data))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch for it")
def test_a_gpu_decodes_to_the_same_pixels() -> None:
    gpu = torch.device("cuda")
    decoder = Decoder.of(gpu)
    files = [file(number, quality=92, subsampling=0) for number in range(64)]
    for part in (files[:8], files):
        for found, data in zip(decoder(part), part, strict=True):
            assert np.array_equal(found.cpu().numpy(), pixels_of(data))
    assert (decoder._together is None) == (gpu_decoding._on_gpu(gpu) is None)
