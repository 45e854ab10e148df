"""What an exported file says about itself: how to make its input, and what its output means."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headstart.pictures.preprocessing import Preprocessing, StoredForm

if TYPE_CHECKING:
    from headstart.network.checkpoints import CheckpointInfo

KEY: Final = "headstart"
"""The name of the metadata in an exported file."""
INPUT: Final = "pixels"
OUTPUT: Final = "probabilities"


def about(info: "CheckpointInfo", batch: str = "N") -> dict[str, Any]:
    """The metadata of an exported network, as JSON values.

    `stored`, `crop`, `crop_frac` and `size_px` are all that the code in docs/export.md needs to make
    the input from a picture file. `square` says the same in words. `thresholds` holds K numbers for
    multi_label, for these probabilities; for single_label it is empty. `costs`, (K, K), true class by
    given class, is there where a picture gets the class of lowest expected cost. `temperature` is in
    the graph already: the probabilities are calibrated by it; 1 says that they are the network's own.
    `batch` is the number of pictures at a time, as `input` and `output` say it.
    """
    size = info.size_px
    return {
        "input": f"{INPUT}: uint8 ({batch}, {size}, {size}, 3), RGB, each picture as `square` says",
        "output": f"{OUTPUT}: float32 ({batch}, {len(info.classes)}), in the order of `classes`",
        "task": info.task,
        "classes": list(info.classes),
        "temperature": info.temperature,
        "thresholds": list(info.thresholds.get("plain", ())),
        **({"costs": info.costs} if info.costs else {}),
        "size_px": size,
        "crop": info.frame.crop,
        "crop_frac": info.frame.crop_frac,
        "stored": [
            {"size_px": form.size_px, "save": _save_options(form)}
            for form in info.preprocessing.stored
        ],
        "square": _square(info),
        "pillow": sorted(info.preprocessing.pillows()),
        "architecture": info.architecture,
        "weights": info.weights,
        "scored_in": info.precision,
        "history": list(info.history),
    }


def preprocessing_of(about: Mapping[str, Any]) -> Preprocessing:
    """How a picture becomes the last of `stored`, by the metadata of an exported network."""
    pillow = ", ".join(about["pillow"])
    forms = [
        StoredForm(
            size_px=form["size_px"],
            codec=form["save"]["format"].lower(),
            quality=form["save"].get("quality"),
            pillow=pillow,
        )
        for form in about["stored"]
    ]
    return Preprocessing(stored=tuple(forms), pillow=pillow)


def text(info: "CheckpointInfo", batch: str = "N") -> str:
    """The metadata as JSON; the same info gives the same text."""
    return json.dumps(about(info, batch), ensure_ascii=False, indent=1)


def _save_options(form: StoredForm) -> dict[str, str | int]:
    """Arguments of Pillow's Image.save."""
    if form.quality is None:
        return {"format": "PNG"}
    return {"format": "JPEG", "quality": form.quality, "subsampling": "4:4:4"}


def _square(info: "CheckpointInfo") -> list[str]:
    """The steps from a picture file to the input, in words."""
    steps = [
        "Decode the file, turn it upright by EXIF, lay what is transparent over white, and convert it "
        "to 8-bit RGB. A JPEG whose shorter side is over twice that of the next step is reduced in "
        "the decoder (Pillow: Image.draft) to at least twice that side."
    ]
    for form in info.preprocessing.stored:
        codec = "PNG" if form.quality is None else f"JPEG of quality {form.quality}, 4:4:4"
        kept = "" if form.quality is None else ", but leave an upright RGB JPEG that was not scaled"
        steps.append(
            f"If the shorter side is over {form.size_px} px, scale it to that (Pillow's BICUBIC). "
            f"Encode as {codec}{kept}. Decode."
        )
    frac = info.frame.crop_frac
    part = "the whole picture" if frac == 1 else f"the middle, {frac:g} of each side"
    if info.frame.crop == "center":
        part = f"the square in the middle, {frac:g} of the shorter side"
    steps.append(
        f"Take {part}, its left and upper edge rounded down to whole pixels, and scale it to "
        f"{info.size_px} x {info.size_px} px (Pillow's BILINEAR, which antialiases)."
    )
    return steps
