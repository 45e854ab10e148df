"""Measure which near duplicates are found, and how many other pairs are named.

Run: python -m bench.near_duplicates [--pairs CSV] FOLDER...

150 pictures of each folder, at even distances, get a copy, one way at a time, then in all ways at once.
The table has the share of these pairs that is found; at once, the share of copies that are joined with
their original, through other copies too. `other` counts the pairs of the folder as it is, near
duplicates or not: --pairs writes their paths, to look at them. `false` counts pairs that are neither
planted nor among these, of all ways together.

With --signatures N in place of folders: the time and memory of a search among N generated pictures.
"""

import csv
import io
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from headstart.image_files.forms import form_of
from headstart.image_files.tree import list_tree
from headstart.indexing.joined import Joined
from headstart.indexing.near_duplicates import find_near_duplicates
from headstart.pictures.names import is_picture
from headstart.pictures.rgb import decode_rgb
from headstart.pictures.signature import SIDE, signature
from headstart.project.report import Silent

N_COPIES = 150
Pairs = set[tuple[str, str]]
Signatures = dict[str, NDArray[np.float16] | None]


def encoded(image: Image.Image, form: str = "JPEG", quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=quality)
    return buffer.getvalue()


def smaller(image: Image.Image, by: int) -> Image.Image:
    return image.resize((image.width // by, image.height // by), Image.Resampling.BICUBIC)


def cropped(image: Image.Image, kept: float, x: float = 0.5, y: float = 0.5) -> Image.Image:
    """A part of both sides; x and y in [0, 1] say where it lies."""
    width, height = round(image.width * kept), round(image.height * kept)
    left, top = round((image.width - width) * x), round((image.height - height) * y)
    return image.crop((left, top, left + width, top + height))


def off_centre(image: Image.Image) -> Image.Image:
    """A crop of 85 %; the pixels draw its place, so that each run has the same."""
    x, y = np.random.default_rng(int(np.asarray(image)[:4].sum())).random(2)
    return cropped(image, 0.85, x, y)


WAYS: Mapping[str, Callable[[Image.Image], bytes]] = {
    "JPEG 60": lambda image: encoded(image, quality=60),
    "JPEG 20": lambda image: encoded(image, quality=20),
    "PNG": lambda image: encoded(image, "PNG"),
    "half": lambda image: encoded(smaller(image, 2)),
    "quarter": lambda image: encoded(smaller(image, 4)),
    "grey": lambda image: encoded(image.convert("L")),
    "x 1.3": lambda image: encoded(image.point(lambda level: level * 13 // 10)),
    "mirrored": lambda image: encoded(ImageOps.mirror(image)),
    "crop 95 %": lambda image: encoded(cropped(image, 0.95)),
    "crop 85 %": lambda image: encoded(cropped(image, 0.85)),
    "85 % anywhere": lambda image: encoded(off_centre(image)),
    "and mirrored": lambda image: encoded(ImageOps.mirror(off_centre(image))),
    "half, 95 %, JPEG 60": lambda image: encoded(cropped(smaller(image, 2), 0.95), quality=60),
    "half, JPEG 20": lambda image: encoded(smaller(image, 2), quality=20),
}


def signatures_of(folder: Path) -> tuple[dict[str, bytes], Signatures]:
    """The pictures of a folder and their signatures, by path."""
    files = {path: (folder / path).read_bytes() for path in list_tree(folder).sizes}
    files = {path: data for path, data in files.items() if is_picture(path, form_of(data))}
    return files, {path: signature(decode_rgb(data)) for path, data in files.items()}


def copies_of(files: Mapping[str, bytes]) -> dict[str, Signatures]:
    """Way -> signatures of the copies of 150 pictures, whose names `original` reads."""
    chosen = list(files)[:: max(1, len(files) // N_COPIES)][:N_COPIES]
    return {
        way: {f"{way}//{p}": signature(decode_rgb(copy(decode_rgb(files[p])))) for p in chosen}
        for way, copy in WAYS.items()
    }


def pairs_of(signatures: Mapping[str, NDArray[np.float16] | None]) -> Pairs | None:
    signed = {path: cells for path, cells in signatures.items() if cells is not None}
    paths = list(signed)
    cells = np.array(list(signed.values()), np.float16).reshape(-1, SIDE, SIDE)
    found = find_near_duplicates(cells, Silent())
    return None if found is None else {(paths[pair.first], paths[pair.second]) for pair in found}


def row_of(folder: Path) -> tuple[list[str], Pairs]:
    """The cells of a folder's row, and its own pairs."""
    files, signatures = signatures_of(folder)
    start = time.process_time()
    own = pairs_of(signatures)
    ms = (time.process_time() - start) / len(files) * 1000
    copies = copies_of(files)
    copies["at once"] = {name: cells for some in copies.values() for name, cells in some.items()}
    shares, n_false = [], 0
    for way, some in copies.items():
        found = pairs_of({**signatures, **some})
        planted = {(original(name), name) for name in some}
        right = _joined(found or set()) if way == "at once" else found or set()
        shares.append("-" if found is None else f"{len(right & planted) / len(planted):.3f}")
        n_false += sum(not _known(pair, own) for pair in found or ())
    others = "not judged" if own is None else str(len(own))
    cells = [folder.name, f"{len(files):,}", f"{ms:.1f}", others, *shares, str(n_false)]
    return cells, own or set()


def original(name: str) -> str:
    """The path of a picture or of what a copy was made from."""
    return name.rpartition("//")[2]


def _joined(pairs: Pairs) -> Pairs:
    """Each copy with its original, if the pairs join them."""
    joined = Joined()
    for pair in pairs:
        joined.join(*pair)
    groups = joined.groups()
    return {
        (original(name), name)
        for name, group in groups.items()
        if groups.get(original(name)) == group
    }


def _known(pair: tuple[str, str], own: Pairs | None) -> bool:
    """Whether both show one picture, or two that are a pair in the folder as it is."""
    first, second = sorted(map(original, pair))
    return first == second or (first, second) in (own or ())


def generated(n: int) -> NDArray[np.float16]:
    """Signatures with the spectrum of photographs; the last tenth are mirrored copies of the first."""
    rng, shape = np.random.default_rng(0), (SIDE, SIDE)
    rows, columns = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    fall = 1 / np.maximum(np.hypot(rows, columns), 1 / SIDE)
    signatures = np.empty((n, *shape), np.float16)
    for some in np.array_split(signatures, -(-n // 1000)):  # views
        shown = np.fft.irfft2(np.fft.rfft2(rng.normal(size=some.shape)) * fall)
        some[:] = 128 + 40 * shown / shown.std()
    for copy, cells in zip(signatures[n - n // 10 :], signatures, strict=False):
        copy[:] = cells[:, ::-1] + rng.normal(0, 2, shape)
    return signatures


def told_time(n: int) -> str:
    signatures, n_copies = generated(n), n // 10
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, core = time.perf_counter(), time.process_time()
    found = find_near_duplicates(signatures, Silent()) or []
    wall, core = time.perf_counter() - wall, time.process_time() - core
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - megabytes
    n_right = sum(pair.second == pair.first + n - n_copies for pair in found)
    return (
        f"{n:,} pictures: {wall:.0f} s, {core:.0f} s of core time, {more:.0f} MB beside "
        f"{signatures.nbytes / 2**20:.0f} MB of signatures; {n_right:,} of {n_copies:,} copies, "
        f"{len(found) - n_right:,} other pairs"
    )


@click.command(help=__doc__)
@click.argument("folders", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--pairs", type=click.Path(path_type=Path), help="CSV of the pairs of the folders")
@click.option("--signatures", type=click.IntRange(10), help="number of generated pictures")
def main(folders: tuple[Path, ...], pairs: Path | None, signatures: int | None) -> None:
    if signatures:
        click.echo(told_time(signatures))
        return
    click.echo(f"| set | pictures | ms | other | {' | '.join(WAYS)} | at once | false |")
    click.echo("|---" * (6 + len(WAYS)) + "|")
    listed = []
    for folder in folders:
        cells, own = row_of(folder)
        click.echo(f"| {' | '.join(cells)} |")
        listed += [(folder / first, folder / second) for first, second in sorted(own)]
    if pairs:
        with pairs.open("w", newline="") as file:
            csv.writer(file).writerows([("first", "second"), *listed])


if __name__ == "__main__":
    main()
