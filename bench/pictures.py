"""Pictures for the benchmarks: generates JPEGs; lists, indexes and resizes a folder."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from headstart.checks.whole_file import load_section
from headstart.image_files.image_folder import ImageFolder, write_images
from headstart.image_files.tree import list_tree
from headstart.indexing.index import Index
from headstart.indexing.params import IndexImagesParams
from headstart.kept.once import Known, Once, anew
from headstart.pictures.resized import ResizedPictures, write_resized
from headstart.pictures.table import first_paths
from headstart.project.located import UserPath
from headstart.project.report import Silent
from headstart.project.workers import in_order
from headstart.steps.fetch_images import fetch_images
from headstart.steps.index_images import index_images
from headstart.steps.resize import ResizeParams, resize

PHOTO_PX = (500, 375)  # width and height; about 50 kB
SPARE = 1.15  # factor by which stored or resized pictures are larger than the input


def generated(number: int, size_px: tuple[int, int] = PHOTO_PX) -> bytes:
    """A JPEG that is different for each number: smooth shapes and noise, `size_px` wide and high."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size_px, Image.Resampling.BICUBIC), np.int16)
    noise = rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def add_pictures(folder: Path, numbers: range, size_px: tuple[int, int] = PHOTO_PX) -> None:
    """Write one JPEG per number, in four classes, each in its own folder."""

    def made(number: int) -> bytes:
        return generated(number, size_px)

    for k in range(4):
        (folder / f"class-{k}").mkdir(parents=True, exist_ok=True)
    for number, data in zip(numbers, in_order(made, numbers), strict=True):
        (folder / f"class-{number % 4}" / f"{number:06}.jpg").write_bytes(data)


def listed(pictures: Path, folder: Path) -> ImageFolder:
    """List the pictures of one folder in another; they are read where they lie."""
    source = UserPath(pictures.resolve())
    files = fetch_images(list_tree(source.path), source, None, Silent())
    write_images(folder, source.path, files, source)
    return ImageFolder(folder)


def indexed(
    files: ImageFolder, split: str, earlier: Known | None = None, near: str = "together"
) -> Index:
    """Index pictures with one folder per class; `split`, `near` as in `index_images`."""
    rule = load_section("index_images", IndexImagesParams)
    rule = rule.model_copy(update={"labels": "folders", "split": split, "near_duplicates": near})
    return index_images(files, files.sha256, files.forms, rule, Silent(), earlier)


def stored(
    files: ImageFolder, index: Index, folder: Path, size_px: int, once: Once[bytes] = anew
) -> ResizedPictures:
    """Resize the pictures of the index to a shorter side of `size_px`, and store them in `folder`."""
    params = load_section("resize", ResizeParams).model_copy(update={"size_px": size_px})
    rows = resize(first_paths(index.pictures), files, params, Silent(), once)
    write_resized(folder, rows, params.manifest())
    return ResizedPictures(folder)
