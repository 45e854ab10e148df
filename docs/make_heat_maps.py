"""Draw docs/heat_maps.jpg: pictures above, and below them where the default's network looked.

Run: PYTHONPATH=src python docs/make_heat_maps.py weaves/*.jpg    (after `dvc repro`)
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from headstart.explaining.overlay import overlay
from headstart.pictures.rgb import decode_rgb
from headstart.use.classifier import Classifier

SIDE_PX, GAP_PX, LINE_PX, FONT_PX = 220, 8, 22, 15


def sheet(classifier: Classifier, files: Sequence[Path]) -> Image.Image:
    """A column a picture: its name, the picture, its class, and what speaks for the class."""
    size = (SIDE_PX + GAP_PX) * len(files) - GAP_PX, 2 * (SIDE_PX + LINE_PX)
    drawn, font = Image.new("RGB", size, "white"), ImageFont.load_default(FONT_PX)
    pen = ImageDraw.Draw(drawn)
    for column, (file, said) in enumerate(zip(files, classifier.explained(files), strict=True)):
        picture = decode_rgb(file.read_bytes())
        [(label, heat)] = said.heat.items()
        shown = overlay(picture, heat, classifier.info.frame)
        for line, (text, tile) in enumerate(
            [(file.stem, picture), (f"{label} {said.probabilities.max():.3f}", shown)]
        ):
            at = column * (SIDE_PX + GAP_PX), line * (SIDE_PX + LINE_PX)
            pen.text(at, text, "black", font)
            tile = tile.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
            drawn.paste(tile, (at[0], at[1] + LINE_PX))
    return drawn


if __name__ == "__main__":
    model = Classifier.load("data/4_checkpoints/model.safetensors")
    found = sheet(model, [Path(name) for name in sys.argv[1:]])
    found.save(Path(__file__).with_name("heat_maps.jpg"), quality=70)
