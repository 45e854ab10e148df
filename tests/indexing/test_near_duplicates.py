"""Planted copies are found, and nothing else is."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from headstart.indexing.near_duplicates import Near, find_near_duplicates
from headstart.pictures.rgb import decode_rgb
from headstart.pictures.signature import signature
from headstart.project.report import Silent
from tests.scenes import encoded, scene

N, N_COPIES = 300, 60


def cropped(image: Image.Image, kept: float, x: float = 0.5, y: float = 0.5) -> Image.Image:
    width, height = round(image.width * kept), round(image.height * kept)
    left, top = round((image.width - width) * x), round((image.height - height) * y)
    return image.crop((left, top, left + width, top + height))


def smaller(image: Image.Image, by: int) -> Image.Image:
    return image.resize((image.width // by, image.height // by))


WAYS: dict[str, tuple[Callable[[Image.Image], bytes], str, float]] = {
    "JPEG 60": (lambda image: encoded(image, quality=60), "copy", 0.98),
    "JPEG 20": (lambda image: encoded(image, quality=20), "copy", 0.98),
    "PNG": (lambda image: encoded(image, "PNG"), "copy", 0.98),
    "half": (lambda image: encoded(smaller(image, 2)), "copy", 0.98),
    "quarter": (lambda image: encoded(smaller(image, 4)), "copy", 0.98),
    "grey": (lambda image: encoded(image.convert("L")), "copy", 0.98),
    "mirrored": (lambda image: encoded(ImageOps.mirror(image)), "mirrored", 0.98),
    "crop 85 %": (lambda image: encoded(cropped(image, 0.85)), "cropped", 0.8),
    "crop 85 %, corner": (lambda image: encoded(cropped(image, 0.85, 1, 0)), "cropped", 0.8),
    "mirrored crop 85 %": (
        lambda image: encoded(ImageOps.mirror(cropped(image, 0.85, 0.2, 0.9))),
        "mirrored cropped",
        0.8,
    ),
}


def signatures_of(files: list[bytes]) -> NDArray[np.float16]:
    found = [signature(decode_rgb(data)) for data in files]
    return np.stack([cells for cells in found if cells is not None])


@pytest.fixture(scope="module")
def originals() -> NDArray[np.float16]:
    return signatures_of([encoded(scene(number), quality=90) for number in range(N)])


def found_in(signatures: NDArray[np.float16]) -> list[Near]:
    found = find_near_duplicates(signatures, Silent())
    assert found is not None
    return found


@pytest.mark.parametrize("way", WAYS)
def test_planted_copies_are_found_and_no_others(
    way: str, originals: NDArray[np.float16], figures: Callable[[str], None]
) -> None:
    change, kind, least = WAYS[way]
    copies = signatures_of([change(scene(number)) for number in range(N_COPIES)])
    found = found_in(np.concatenate([originals, copies]))
    right = [pair for pair in found if pair.second == pair.first + N]
    assert len(right) >= least * N_COPIES and len(found) == len(right)
    assert Counter(pair.kind for pair in right)[kind] >= 0.95 * len(right)
    figures(f"{way}: {len(right)} of {N_COPIES} planted copies, no false pair of {N} scenes")


def flat(number: int) -> Image.Image:
    """A scene in haze: its cells differ by less than a level, as those of a flat forest do."""
    levels = np.asarray(scene(number).convert("L").resize((256, 256)), np.float32)
    noise = np.random.default_rng(number).normal(0, 2, levels.shape)
    hazy = 90 + 0.6 * (levels - levels.mean()) / levels.std() + noise
    return Image.fromarray(hazy.round().clip(0, 255).astype(np.uint8))


def test_of_flat_pictures_several_weak_copies_are_found(figures: Callable[[str], None]) -> None:
    """Many of the pairs are weak, and each shot has three: no valley of similarity is empty of them."""
    files = [encoded(flat(number), quality=90) for number in range(N_COPIES)]
    files += [encoded(flat(number), quality=20) for number in range(N_COPIES)]
    files += [encoded(cropped(flat(number), 0.95), quality=40) for number in range(N_COPIES)]
    found = find_near_duplicates(signatures_of(files), Silent())
    assert found is not None
    right = [pair for pair in found if (pair.second - pair.first) % N_COPIES == 0]
    joined = {pair.second for pair in right if pair.first < N_COPIES}
    assert len(found) == len(right) and len(joined) >= 0.95 * 2 * N_COPIES
    figures(f"{len(joined)} of {2 * N_COPIES} weak copies of flat pictures, no false pair")


def test_unlike_pictures_are_no_pairs(originals: NDArray[np.float16]) -> None:
    assert found_in(originals) == []
    for n in (0, 1, 2):
        assert found_in(originals[:n]) == []


def test_two_pictures_alone_are_judged(originals: NDArray[np.float16]) -> None:
    [pair] = found_in(originals[[3, 3]])
    assert (pair.first, pair.second, pair.kind) == (0, 1, "copy") and pair.similarity > 0.999


def test_a_copy_of_each_picture_and_ten_of_one(originals: NDArray[np.float16]) -> None:
    twice = np.concatenate([originals, originals[:, :, ::-1]])
    assert len(found_in(twice)) == N
    ten = found_in(np.concatenate([originals, originals[[7] * 10]]))
    assert len(ten) == 55  # all pairs of 11


def frames(n: int = 400) -> NDArray[np.float16]:
    """A video: before a scene, a square moves a little from frame to frame."""
    scenery = np.asarray(scene(0).convert("L").resize((32, 32)), np.float32)
    made = np.repeat(scenery[None], n, axis=0)
    made += np.random.default_rng(0).normal(0, 0.5, made.shape)
    for k, frame in enumerate(made):
        x, y = 8 + 6 * np.sin(k / 40), 8 + 6 * np.cos(k / 23)
        frame[int(y) : int(y) + 8, int(x) : int(x) + 8] = 220
    return made.astype(np.float16)


def forms(n: int = 400) -> NDArray[np.float16]:
    """A printed form, filled in in different ways."""
    form = np.asarray(scene(0).convert("L").resize((32, 32)), np.float32)
    ink = np.random.default_rng(1).normal(0, 12, (n, 32, 32))
    return (form + ink).astype(np.float16)


@pytest.mark.parametrize("kind", [frames, forms])
def test_too_similar_pictures_are_never_grouped(
    kind: Callable[[], NDArray[np.float16]],
) -> None:
    found = find_near_duplicates(kind(), Silent())
    assert found is None or not found


def test_flat_and_tiny_pictures_have_no_signature() -> None:
    for image in (
        Image.new("RGB", (320, 240)),
        Image.new("RGB", (320, 240), (200, 90, 3)),
        scene(0, (8, 8)),
        scene(0, (400, 6)),
    ):
        assert signature(image) is None
