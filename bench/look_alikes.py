"""Measure which copies of pictures `headstart init` finds, and how many other pairs it names.

Run: python -m bench.look_alikes FOLDER...

150 pictures of each folder, at even distances, get a copy, one way at a time. The table has the share
of these pairs that is found. `other` counts the pairs of the folder as it is, copies or not: look at
them by `headstart init --json FOLDER`.
"""

import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from numpy import uint64
from numpy.typing import NDArray
from PIL import Image

from headstart.commands.look_alikes import look_alikes
from headstart.commands.small_picture import see
from headstart.image_files.forms import form_of
from headstart.image_files.tree import list_tree
from headstart.pictures.names import is_picture
from headstart.pictures.rgb import decode_rgb

N_COPIES = 150


def encoded(image: Image.Image, form: str = "JPEG", quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=quality)
    return buffer.getvalue()


def smaller(image: Image.Image, by: int) -> Image.Image:
    return image.resize((image.width // by, image.height // by), Image.Resampling.BICUBIC)


def cropped(image: Image.Image, kept: float) -> Image.Image:
    x, y = (round(side * (1 - kept) / 2) for side in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


WAYS: Mapping[str, Callable[[Image.Image], bytes]] = {
    "JPEG 60": lambda image: encoded(image, quality=60),
    "JPEG 20": lambda image: encoded(image, quality=20),
    "PNG": lambda image: encoded(image, "PNG"),
    "half": lambda image: encoded(smaller(image, 2)),
    "quarter": lambda image: encoded(smaller(image, 4)),
    "grey": lambda image: encoded(image.convert("L")),
    "x 1.3": lambda image: encoded(image.point(lambda level: level * 13 // 10)),
    "crop 98 %": lambda image: encoded(cropped(image, 0.98)),
    "crop 95 %": lambda image: encoded(cropped(image, 0.95)),
}


def pairs_of(hashes: Mapping[str, NDArray[uint64] | None]) -> set[tuple[str, str]] | None:
    found = look_alikes({path: value for path, value in hashes.items() if value is not None})
    return None if found is None else {(pair.first, pair.second) for pair in found}


@click.command(help=__doc__)
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(folders: tuple[Path, ...]) -> None:
    click.echo(f"| set | pictures | core ms a picture | other | {' | '.join(WAYS)} |")
    click.echo("|---" * (4 + len(WAYS)) + "|")
    for folder in folders:
        files = {path: (folder / path).read_bytes() for path in list_tree(folder).sizes}
        files = {path: data for path, data in files.items() if is_picture(path, form_of(data))}
        start = time.process_time()
        hashes = {path: see(data).dhash for path, data in files.items()}
        ms = (time.process_time() - start) / len(files) * 1000
        own = pairs_of(hashes)
        chosen = list(files)[:: max(1, len(files) // N_COPIES)][:N_COPIES]
        shares = []
        for copy in WAYS.values():
            copies = {f"copy/{path}": see(copy(decode_rgb(files[path]))).dhash for path in chosen}
            found = pairs_of({**hashes, **copies})
            planted = {(path, f"copy/{path}") for path in chosen}
            shares.append("-" if found is None else f"{len(found & planted) / len(planted):.2f}")
        others = "not judged" if own is None else str(len(own))
        row = [folder.name, f"{len(files):,}", f"{ms:.1f}", others, *shares]
        click.echo(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
