"""The pictures of docs/augmentation.md: one strip a parameter, the transform at its extremes.

Run: PYTHONPATH=src python docs/make_augmentation.py    (needs the [test] extra)

Each tile is made by the code that makes a training's views, from a draw written by hand; the last
strip is drawn as a training draws. The picture is scikit-learn's china.jpg (danielbuechele, CC BY 2.0).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

from headstart.backbone.frame import Frame
from headstart.project.params import read_section
from headstart.views.augment import AugmentParams, draw
from headstart.views.draws import PLAIN, Draw
from headstart.views.pictures import cropped, moved

HERE = Path(__file__).parent
RECIPE = HERE.parent / "recipes" / "dogscats-resnet34.yaml"
SIZE_PX, STORED_PX = 200, 256  # a tile; the shorter side as `resize` stores it
GAP_PX, FONT_PX, LINE_PX = 10, 17, 21
SQUARE, SQUASHED = Frame("center", 1.0), Frame("squash", 1.0)


@dataclass(frozen=True)
class Tile:
    """One view and what is written below it; `frame` None: the whole picture, proportions kept."""

    caption: str
    draw: Draw = PLAIN
    frame: Frame | None = SQUARE


WHOLE = Tile("the picture", frame=None)


def turned(turns: int, mirrored: bool, names: str) -> Tile:
    what = f"{90 * turns}°{', mirrored' if mirrored else ''}"
    return Tile(f"{what}\n{names}", Draw(quarter_turns=turns, mirrored=mirrored))


def row(draws: Iterable[Draw], *captions: str) -> list[Tile]:
    return [Tile(caption, draw) for caption, draw in zip(captions, draws, strict=True)]


def googlenet(caption: str, x: float, y: float, area: float, aspect: float) -> Tile:
    return Tile(f"googlenet\n{caption}", Draw(crop_x=x, crop_y=y, candidates=((area, aspect),)))


def hole(caption: str, side: float, x: float, y: float) -> Tile:
    return Tile(caption, Draw(hole_frac=side, hole_x=x, hole_y=y))


def drawn(view: int) -> Tile:
    recipe = read_section("augment", AugmentParams, RECIPE)
    return Tile(f"view {view}", draw(recipe, 0, view, "china"))


STRIPS: dict[str, list[list[Tile]]] = {
    "plain": [[WHOLE, Tile("center"), Tile("squash", frame=SQUASHED)]],
    "crop": [
        [
            WHOLE,
            Tile("center"),
            Tile("random\nleftmost", Draw(crop_x=0.0)),
            Tile("random\nrightmost", Draw(crop_x=1.0)),
        ],
        [
            googlenet("8 % of the area, 4:3", 0.32, 0.42, 0.08, 4 / 3),
            googlenet("8 % of the area, 3:4", 0.85, 0.9, 0.08, 3 / 4),
            googlenet("40 %, 1:1", 0.1, 0.5, 0.4, 1.0),
            googlenet("88 %, 4:3", 0.5, 0.5, 0.88, 4 / 3),
        ],
    ],
    "symmetry": [
        [
            turned(0, False, "all four"),
            turned(1, False, "top_down"),
            turned(2, False, "top_down, half_turn"),
            turned(3, False, "top_down"),
        ],
        [
            turned(0, True, "top_down, side_on"),
            turned(1, True, "top_down"),
            turned(2, True, "top_down"),
            turned(3, True, "top_down"),
        ],
    ],
    "max_zoom": [
        row((Draw(zoom=z) for z in (1, 1.05, 1.1, 1.5, 2)), "plain", "1.05", "1.1", "1.5", "2")
    ],
    "stretch": [
        row(
            (Draw(stretch=s) for s in (-0.5, -0.1, 0, 0.1, 0.5)),
            *("1.5 times as high", "1.1 times as high", "plain"),
            *("1.1 times as wide", "1.5 times as wide"),
        )
    ],
    "shift_px": [
        [
            Tile("60 px to the right", Draw(shift_x=-60)),
            Tile("16 px to the right", Draw(shift_x=-16)),
            Tile("plain"),
            Tile("16 px up and left", Draw(shift_x=16, shift_y=16)),
            Tile("60 px up and left", Draw(shift_x=60, shift_y=60)),
        ]
    ],
    "rotate_deg": [
        row(
            (Draw(angle_deg=a) for a in (-45, -10, 0, 10, 45)),
            *("-45°", "-10°", "plain", "10°", "45°"),
        )
    ],
    "brightness": [
        row(
            (Draw(brightness=b) for b in (-0.3, -0.05, 0, 0.05, 0.3)),
            *("-0.3", "-0.05", "plain", "+0.05", "+0.3"),
        )
    ],
    "contrast": [
        row(
            (Draw(contrast=c) for c in (1 / 1.6, 1 / 1.05, 1, 1.05, 1.6)),
            *("divided by 1.6", "divided by 1.05", "plain", "times 1.05", "times 1.6"),
        )
    ],
    "blur_px": [
        row(
            (Draw(blur_px=b) for b in (0, 0.5, 1, 2, 4)),
            *("plain", "0.5 px", "1 px", "2 px", "4 px"),
        )
    ],
    "cutout_frac": [
        [
            Tile("plain"),
            hole("0.25", 0.25, 0.45, 0.4),
            hole("0.25, at the border", 0.25, 0.97, 0.6),
            hole("0.5", 0.5, 0.4, 0.6),
            hole("0.5, at the border", 0.5, 0.1, 0.95),
        ]
    ],
    "together": [[drawn(view) for view in range(5)]],
}


OF_THE_WHOLE = ("plain", "crop", "together")


def stored() -> Image.Image:
    """The picture, its shorter side STORED_PX, of the size that `resize` stores."""
    image = Image.fromarray(load_sample_image("china.jpg"))
    scale = STORED_PX / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.BILINEAR)


def shown(picture: Image.Image, tile: Tile) -> Image.Image:
    """What a network is shown of `picture` by this tile."""
    if tile.frame is None:
        return picture.resize((round(SIZE_PX * picture.width / picture.height), SIZE_PX))
    crop = torch.from_numpy(cropped(picture, SIZE_PX, tile.frame, tile.draw).copy())
    [view] = moved(crop.permute(2, 0, 1).unsqueeze(0), [tile.draw])  # (3, S, S)
    return Image.fromarray(view.permute(1, 2, 0).round().to(torch.uint8).numpy())


def strip(picture: Image.Image, rows: list[list[Tile]]) -> Image.Image:
    """The tiles row by row, each with its caption below."""
    images = [[shown(picture, tile) for tile in row] for row in rows]
    n_lines = max(tile.caption.count("\n") + 1 for row in rows for tile in row)
    row_px = SIZE_PX + n_lines * LINE_PX + GAP_PX
    width = max(sum(image.width + GAP_PX for image in row) for row in images) - GAP_PX
    sheet = Image.new("RGB", (width, len(rows) * row_px), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    for number, (row, tiles) in enumerate(zip(images, rows, strict=True)):
        left, top = 0, number * row_px
        for image, tile in zip(row, tiles, strict=True):
            sheet.paste(image, (left, top))
            middle = left + image.width / 2
            for i, line in enumerate(tile.caption.split("\n")):
                place = (middle, top + SIZE_PX + 4 + i * LINE_PX)
                pen.text(place, line, fill="#2d3748", font=font, anchor="ma")
            left += image.width + GAP_PX
    return sheet


@click.command(help=__doc__)
@click.option("--to", type=click.Path(path_type=Path), default=HERE / "augmentation")
def main(to: Path) -> None:
    """Write every strip."""
    to.mkdir(parents=True, exist_ok=True)
    whole = stored()
    # the pavilion; what is not about crops is seen best in it
    square = whole.crop((0, 0, STORED_PX, STORED_PX))
    for name, rows in STRIPS.items():
        picture = whole if name in OF_THE_WHOLE else square
        strip(picture, rows).save(to / f"{name}.jpg", quality=82)


if __name__ == "__main__":
    main()
