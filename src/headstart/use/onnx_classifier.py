"""A trained network that classifies pictures by onnxruntime; imports no torch."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from PIL import Image
from PIL import __version__ as pillow

from headstart.backbone.frame import Frame
from headstart.exporting.about import preprocessing_of
from headstart.exporting.onnx_run import CPU, OnnxRun
from headstart.exporting.pixels import Pixels
from headstart.pictures.rgb import decode_stored
from headstart.project.errors import HeadstartError
from headstart.project.workers import in_order
from headstart.use.decisions import Decides, Prediction, Rule
from headstart.use.picture_files import Picture, PictureFiles
from headstart.views.crops import crop_box
from headstart.views.draws import PLAIN

BATCH: Final = 32
GPU: Final = "CUDAExecutionProvider"


@dataclass(frozen=True)
class OnnxClassifier(Decides):
    """The network of a file that `exporting.onnx_file` wrote, ready to predict.

    It gives plain probabilities, calibrated and in float32.
    """

    run: OnnxRun

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load the file.

        HEADSTART_DEVICE (auto, cpu, cuda, cuda:1) and HEADSTART_THREADS are read. Where Pillow's
        version is not one that made the scored pictures, a warning says so.

        Raises:
            HeadstartError: one of the two is malformed, or onnxruntime cannot use that device here.
        """
        run = OnnxRun.load(path, _n_threads(), _providers())
        if pillow not in run.about["pillow"]:
            warnings.warn(
                f"The pictures that were scored were made by Pillow {', '.join(run.about['pillow'])}, "
                f"and this is {pillow}: probabilities may differ a little from the measured ones.",
                stacklevel=2,
            )
        return cls(run)

    @cached_property
    def rule(self) -> Rule:
        """How it decides."""
        about = self.run.about
        return Rule(tuple(about["classes"]), about["task"], about["thresholds"], about.get("costs"))

    def each(self, pictures: Iterable[Picture]) -> Iterator[Prediction]:
        """Yield the prediction of each picture, in their order; threads decode ahead of the network.

        A picture that cannot be read gets a prediction that says why.

        Args:
            pictures: N files, contents of files, or images, in the order of iteration.
        """
        files = PictureFiles(pictures, preprocessing_of(self.run.about))
        squares = in_order(self._square_of(files), files.ids)
        for start in range(0, len(files.ids), BATCH):
            pixels = np.stack(list(islice(squares, BATCH)))
            for number, row in enumerate(self.run(pixels).astype(np.float64), start):
                problem = files.problems.get(files.ids[number], "")
                yield Prediction(number, row[:0] if problem else row, problem)

    def _square_of(self, files: PictureFiles) -> Callable[[str], Pixels]:
        frame = Frame(self.run.about["crop"], self.run.about["crop_frac"])
        size = (self.run.about["size_px"],) * 2

        def square(name: str) -> Pixels:
            """As `views.pictures.cropped`, which needs torch."""
            picture = decode_stored(files.encoded(name))
            box = crop_box(*picture.size, frame, PLAIN)
            return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box))

        return square


def _n_threads() -> int:
    """HEADSTART_THREADS; 0, as many as there are cores, without it."""
    if not (wanted := os.environ.get("HEADSTART_THREADS")):
        return 0
    if not wanted.isdecimal() or int(wanted) < 1:
        raise HeadstartError(f"HEADSTART_THREADS is {wanted!r}; it must be a whole number from 1.")
    return int(wanted)


def _providers() -> list[Any]:
    """What onnxruntime computes by: a GPU where it can use one and HEADSTART_DEVICE allows it."""
    import onnxruntime

    wanted = os.environ.get("HEADSTART_DEVICE") or "auto"
    kind, _, number = wanted.partition(":")
    has_gpu = GPU in onnxruntime.get_available_providers()
    if wanted in ("auto", "cpu") and not (wanted == "auto" and has_gpu):
        return list(CPU)
    if kind not in ("auto", "cuda") or (number and not number.isdecimal()) or not has_gpu:
        raise HeadstartError(
            f"HEADSTART_DEVICE is {wanted!r}, which onnxruntime cannot use here; it must be auto, cpu, "
            "or, with the package onnxruntime-gpu, cuda or cuda:1 (the second GPU)."
        )
    return [(GPU, {"device_id": int(number or 0)}), *CPU]
