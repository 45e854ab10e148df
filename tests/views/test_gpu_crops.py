"""Crops by matrix products, here on the CPU, beside those of Pillow."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from headstart.backbone.frame import Frame
from headstart.project.params import read_section
from headstart.project.report import Silent
from headstart.views.augment import AugmentParams
from headstart.views.crops import Box
from headstart.views.gpu_crops import GpuPixels, gpu_crops
from headstart.views.pictures import Pictures
from tests.small_networks import SQUARE, StoredPictures

CPU = torch.device("cpu")
SIZES = [(60, 40), (40, 64), (33, 90), (40, 40)]  # width and height


def noise(number: int) -> NDArray[np.uint8]:
    """What is hardest to scale alike."""
    width, height = SIZES[number % len(SIZES)]
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tensors(pictures: Sequence[NDArray[np.uint8]]) -> list[Tensor]:
    return [torch.from_numpy(pixels) for pixels in pictures]


def by_pillow(pixels: NDArray[np.uint8], box: Box, size_px: int, blur_px: float = 0) -> Tensor:
    """Columns first, then rows: at once Pillow takes rows first where that is less work."""
    picture, (left, top, right, bottom) = Image.fromarray(pixels), box
    sides, of_columns = (size_px, picture.height), (left, 0, right, picture.height)
    columns = picture.resize(sides, Image.Resampling.BILINEAR, box=of_columns)
    sides, of_rows = (size_px, size_px), (0, top, size_px, bottom)
    crop = columns.resize(sides, Image.Resampling.BILINEAR, box=of_rows)
    if blur_px:
        crop = crop.filter(ImageFilter.GaussianBlur(blur_px))
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1)


def random_boxes(sizes: Sequence[tuple[int, int]]) -> list[Box]:
    rng, boxes = np.random.default_rng(0), []
    for width, height in sizes:
        left, top = rng.uniform(0, width * 0.6), rng.uniform(0, height * 0.6)
        boxes.append(
            (left, top, rng.uniform(left + 5, width), rng.uniform(top + 5, height)),
        )
    return boxes


def difference(a: Tensor, b: Tensor) -> Tensor:
    return (a.to(torch.int64) - b.to(torch.int64)).abs()


def whole(sizes: Sequence[tuple[int, int]]) -> list[Box]:
    return [(0, 0, width, height) for width, height in sizes]


@pytest.mark.parametrize("size_px", [16, 32, 75])
@pytest.mark.parametrize("boxes", [random_boxes, whole])
def test_crops_are_those_of_pillow(
    boxes: Callable[[Sequence[tuple[int, int]]], list[Box]], size_px: int
) -> None:
    pictures = [noise(number) for number in range(12)]
    shown = boxes([(pixels.shape[1], pixels.shape[0]) for pixels in pictures])
    found = gpu_crops(tensors(pictures), shown, size_px, [0.0] * 12)
    assert found.shape == (12, 3, size_px, size_px) and found.dtype == torch.uint8
    assert found.is_contiguous(memory_format=torch.channels_last)
    wanted = torch.stack(
        [by_pillow(p, box, size_px) for p, box in zip(pictures, shown, strict=True)]
    )
    apart = difference(found, wanted)
    # weights have 15 bits here, 22 there: in each pass what lies between two values may fall apart
    assert apart.max() <= 2
    assert (apart > 0).float().mean() < 0.06 and (apart > 1).float().mean() < 1e-4


def test_unscaled_pixels_are_copied() -> None:
    pictures = [noise(number) for number in range(4)]
    found = gpu_crops(tensors(pictures), [(1, 5, 33, 37)] * 4, 32, [0.0] * 4)
    wanted = torch.stack(
        [torch.from_numpy(p[5:37, 1:33].copy()).permute(2, 0, 1) for p in pictures]
    )
    assert torch.equal(found, wanted)


def test_no_other_picture_changes_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = tensors([noise(number) for number in range(12)])
    boxes = random_boxes([(p.shape[1], p.shape[0]) for p in pictures])
    blurs = [0.0, 1.5] * 6
    together = gpu_crops(pictures, boxes, 24, blurs)
    alone = [
        gpu_crops([p], [box], 24, [blur])
        for p, box, blur in zip(pictures, boxes, blurs, strict=True)
    ]
    assert torch.equal(together, torch.cat(alone))
    monkeypatch.setattr("headstart.views.gpu_crops.CHUNK", 3 * 64 * 90)
    assert torch.equal(together, gpu_crops(pictures, boxes, 24, blurs))


def test_a_blur_is_close_to_that_of_pillow_and_leaves_the_others() -> None:
    pictures = [noise(number) for number in (0, 1, 4)]
    boxes, blurs = whole([SIZES[0], SIZES[1], SIZES[0]]), [2.0, 0.0, 0.7]
    found = gpu_crops(tensors(pictures), boxes, 40, blurs)
    sharp = gpu_crops(tensors(pictures), boxes, 40, [0.0] * 3)
    assert torch.equal(found[1], sharp[1])
    for k in (0, 2):  # Pillow's is three means of boxes
        apart = difference(found[k], by_pillow(pictures[k], boxes[k], 40, blurs[k])).float()
        assert apart.mean() < 0.1 * difference(sharp[k], found[k]).float().mean()
    flat = gpu_crops([torch.full((40, 40, 3), 200, dtype=torch.uint8)], [(0, 0, 40, 40)], 40, [3.0])
    assert (flat == 200).all()


def encoded(picture_number: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(int(picture_number))).save(buffer, "PNG")
    return buffer.getvalue()


def test_pixels_are_decoded_once_while_there_is_room() -> None:
    decoded: list[str] = []

    def counted(number: str) -> bytes:
        decoded.append(number)
        return encoded(number)

    ids = [str(number) for number in range(11)]
    n_bytes = sum(noise(number).size for number in range(8))  # so the last three find no room
    gpu = GpuPixels(counted, CPU, room=n_bytes)
    for _ in range(2):
        first, second = gpu.batches([[*ids, "3"], ["10", "2"]])
        for found, number in zip([*first, *second], [*range(11), 3, 10, 2], strict=True):
            assert np.array_equal(found.numpy(), noise(number))
    once, again = ids[:8], ["8", "9", "10", "10"]
    assert sorted(decoded) == sorted([*once, "2", *again, *again])


@pytest.mark.parametrize("crop", ["random", "googlenet", "center"])
@pytest.mark.parametrize("frame", [SQUARE, Frame("squash", 0.9)])
def test_batches_are_those_of_pillow(crop: str, frame: Frame) -> None:
    ids = [str(number) for number in range(9)]
    by_threads = Pictures.of(StoredPictures(), 32, frame, CPU)
    on_gpu = replace(by_threads, on_gpu=GpuPixels(StoredPictures().encoded, CPU, room=1e9))
    [plain], [wanted] = on_gpu.plain([ids]), by_threads.plain([ids])
    assert plain.dtype == torch.uint8 and difference(plain, wanted).max() <= 1
    augment = read_section("augment", AugmentParams).model_copy(update={"crop": crop})
    for view in range(3):
        [views], [wanted] = (p.views([ids], augment, 0, view) for p in (on_gpu, by_threads))
        assert (views - wanted).abs().max() < 2  # a contrast may widen what a rounding left
    assert on_gpu.at(16, Silent()).on_gpu is on_gpu.on_gpu


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch for it")
def test_a_gpu_gives_the_same_crops_as_a_cpu() -> None:
    gpu = torch.device("cuda")
    pictures = tensors([noise(number) for number in range(12)])
    boxes = random_boxes([(p.shape[1], p.shape[0]) for p in pictures])
    here, there = (
        gpu_crops([p.to(device) for p in pictures], boxes, 24, [0.0, 1.5] * 6).cpu()
        for device in (CPU, gpu)
    )
    assert torch.equal(here, there)
    ids = [str(number) for number in range(9)]
    stored = Pictures.of(StoredPictures(), 32, SQUARE, gpu)
    assert stored.on_gpu is not None
    [plain], [wanted] = (
        stored.plain([ids]),
        Pictures.of(StoredPictures(), 32, SQUARE, CPU).plain([ids]),
    )
    assert difference(plain.cpu(), wanted).max() <= 1
