"""Time the steps from list to both precomputes, at first and after 1 % more pictures arrive.

Run: python -m bench.new_pictures [--n 20000]

The pictures are generated JPEGs of photo size (smooth shapes and noise, 500 x 375 px, about 50 kB) in
four classes. The steps (list, index, resize, both precomputes) run in one process as the stages run
them, so start-up is not included. Their results go into a cache like DVC's. A third run, which reuses
nothing, must give the same bytes, and so must a run after half of the kept records was deleted.
"""

import filecmp
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from bench.pictures import SPARE, add_pictures, indexed, listed, stored
from headstart.activations.computed import row_places, write_activations
from headstart.activations.frozen import FrozenBackbone
from headstart.backbone.backbone import BackboneParams, load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.checks.whole_file import load_section
from headstart.indexing.index import write_index
from headstart.kept.outs import file_md5
from headstart.kept.records import known_records, rows_once
from headstart.kept.remembered import Remembered
from headstart.pictures.facts import facts_key
from headstart.pictures.resized import picture_places
from headstart.project.report import Silent
from headstart.steps.precompute_activations import precompute_activations
from headstart.steps.precompute_views import PrecomputeViewsParams, precompute_views
from headstart.views.augment import AugmentParams
from headstart.views.pictures import Pictures

OUTS = ("index", "resized", "plain", "views")


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - start


def four_steps(
    images: Path, out: Path, weights: Path, n_views: int, size_px: int, near: str = "together"
) -> dict[str, float]:
    """Run the steps with results in `out`, and return the seconds of each.

    `near`: as in `index_images.near_duplicates`.
    """
    shutil.rmtree(out, ignore_errors=True)
    (out / "index").mkdir(parents=True)
    body = load_section("backbone", BackboneParams)
    augment = load_section("augment", AugmentParams)
    backbone = load_backbone(weights).on(prepare(load_section("runtime", RuntimeParams)))
    seconds = dict[str, float]()
    with timed(seconds, "index"), known_records(facts_key()) as earlier:
        files = listed(images, out / "images")
        index = indexed(files, "stratified", earlier, near)
        names = ("pictures", "labels", "test_labels", "ids")
        write_index(index, *(out / "index" / f"{name}.parquet" for name in names))
    with timed(seconds, "resized"):
        kept = Remembered()
        resized = stored(files, index, out / "resized", round(SPARE * size_px), kept)
        kept.lie_in([picture_places(out / "resized")])
    pictures = Pictures.of(resized, size_px, body.frame(), backbone.compute.device)
    looks = FrozenBackbone(backbone, pictures, Silent())
    with timed(seconds, "plain"):
        kept = Remembered()
        look = replace(looks, once=rows_once(resized.sha256, kept))
        plain = precompute_activations(look, resized.ids, resized.digest)
        write_activations(out / "plain", size_px, [plain])
        kept.lie_in(row_places(out / "plain"))
    with timed(seconds, "views"):
        kept = Remembered()
        look = replace(looks, once=rows_once(resized.sha256, kept))
        params = PrecomputeViewsParams(n_views=n_views, seed=0)
        views = precompute_views(look, index.labels.ids("train"), resized.digest, augment, params)
        write_activations(out / "views", size_px, [views])
        kept.lie_in(row_places(out / "views"))
    return seconds


def commit(out: Path, root: Path) -> None:
    """Keep the results as DVC does: in a cache, by the MD5 of each file."""
    (root / ".dvc").mkdir(exist_ok=True)
    for file in filter(Path.is_file, out.rglob("*")):
        md5 = file_md5(file)
        kept = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        kept.hardlink_to(file)


def differing(one: Path, two: Path) -> list[str]:
    files = [str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()]
    _, different, missing = filecmp.cmpfiles(one, two, files, shallow=False)
    return different + missing


@click.command(help=__doc__)
@click.option("--n", default=2000, show_default=True, help="pictures at first")
@click.option("--n-views", default=3, show_default=True, help="augmented views of each of train")
@click.option("--size-px", default=224, show_default=True, help="of the network's input")
@click.option("--weights", default="data/0_source/backbone.safetensors", show_default=True)
def main(n: int, n_views: int, size_px: int, weights: str) -> None:
    """Run the four steps on n pictures, then on 1 % more."""
    with tempfile.TemporaryDirectory(prefix="new-pictures-") as folder:
        root = Path(folder).resolve()
        os.environ["DVC_ROOT"] = str(root)

        def run(name: str) -> dict[str, float]:
            seconds = four_steps(
                root / "images", root / name, Path(weights).resolve(), n_views, size_px
            )
            commit(root / name, root)
            return seconds

        add_pictures(root / "images", range(n))
        first = run("first")
        shutil.rmtree(root / "first")
        add_pictures(root / "images", range(n, n + n // 100))
        more = run("more")
        with known_records(facts_key()):  # as in a later stage: drops records in the cache
            kept = sum(file.stat().st_size for file in (root / ".headstart").rglob("*.bin"))
        for place in sorted((root / ".headstart/work/records").glob("*/"))[::2]:
            shutil.rmtree(place)
        run("half")
        os.environ["HEADSTART_KEEP_GB"] = "0"
        full = run("full")
        click.echo("| step | first, s | 1 % more, s | ratio | 1 % more without memory, s |")
        click.echo("|---|---|---|---|---|")
        rows = {step: [seconds[step] for seconds in (first, more, full)] for step in OUTS}
        rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
        for step, (at_first, then, anew) in rows.items():
            click.echo(
                f"| {step} | {at_first:.1f} | {then:.1f} | {then / at_first:.3f} | {anew:.1f} |"
            )
        click.echo(
            f"\n{n} pictures, then {n + n // 100}; {n_views} views; {kept / 1e6:.1f} MB kept beside"
        )
        for name in ("more", "half"):
            different = differing(root / "full", root / name)
            click.echo(f"{name} against full: {different or 'the same bytes'}")


if __name__ == "__main__":
    main()
