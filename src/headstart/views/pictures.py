"""Batches of views: decoded and cropped in threads (or on a GPU), augmented on the device."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee
from typing import Protocol

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional

from headstart.backbone.device import on_device
from headstart.backbone.frame import Frame
from headstart.pictures.preprocessing import Preprocessing, StoredForm
from headstart.project.report import Report
from headstart.project.versions import versions
from headstart.project.workers import in_order
from headstart.views.augment import AugmentParams, draw
from headstart.views.crops import crop_box
from headstart.views.draws import PLAIN, Draw, affine_maps, lighting
from headstart.views.gpu_crops import GpuPixels, gpu_crops

Decode = Callable[[str], Image.Image]
Job = Sequence[tuple[str, Draw]]  # a batch: which picture, and which view of it

# Decoded pictures may fill this part of the free memory, and at most so many bytes.
KEPT_FRAC, KEPT_BYTES = 1 / 8, 4e9
BYTES_A_PIXEL = 4  # in which Pillow keeps RGB
# Pictures that a thread crops at a time: few, so that all threads work on the batch needed next.
PART = 8


def cropped(picture: Image.Image, size_px: int, frame: Frame, view: Draw) -> NDArray[np.uint8]:
    """The crop of an RGB picture that `view` shows, scaled with antialiasing to (S, S, 3), S = size_px.

    Blur is applied here, to each picture by itself, so that neither the other pictures of a batch nor
    the device can change a bit of the crop.
    """
    box = crop_box(*picture.size, frame, view)
    crop = picture.resize((size_px, size_px), Image.Resampling.BILINEAR, box=box)
    if view.blur_px:
        crop = crop.filter(ImageFilter.GaussianBlur(view.blur_px))
    return np.asarray(crop)


def moved(crops: Tensor, views: Sequence[Draw]) -> Tensor:
    """Turn, mirror, shift and light a batch (N, 3, S, S) of values in [0, 255]; float32, clipped.

    Views that turn, mirror or shift go through one bilinear gather. All others keep their pixels,
    whatever else is in the batch. A hole shows the mean colour of its view. Source: Cutout; DeVries and
    Taylor, arXiv 1708.04552, whose zeros after normalisation are the mean colour of the data set.
    """
    x = crops.to(torch.float32, copy=True)
    n, _, size, _ = x.shape
    if moving := [i for i, view in enumerate(views) if _moves(view)]:
        maps = on_device(affine_maps([views[i] for i in moving], size), x.device)
        grid = functional.affine_grid(maps, [len(moving), 3, size, size], align_corners=False)
        rows = on_device(np.array(moving), x.device)
        x[rows] = functional.grid_sample(
            x[rows], grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
    light = on_device(lighting(views), x.device)
    brightness, contrast = (column.view(n, 1, 1, 1) for column in light.unbind(1))
    mean = x.mean((2, 3), keepdim=True).mean(1, keepdim=True)
    lit = ((x - mean) * contrast + mean + 255 * brightness).clamp_(0, 255)
    if any(view.hole_frac for view in views):
        lit = torch.where(
            _holes(views, size).to(x.device, non_blocking=True), lit.mean((2, 3), keepdim=True), lit
        )
    return lit


def _moves(view: Draw) -> bool:
    return bool(
        view.angle_deg or view.quarter_turns or view.mirrored or view.shift_x or view.shift_y
    )


def _holes(views: Sequence[Draw], size: int) -> Tensor:
    """(N, 1, S, S): which pixels have their centre inside the hole of their view."""
    holes = torch.tensor([[v.hole_x, v.hole_y, v.hole_frac] for v in views], dtype=torch.float64)
    x, y, side = holes.unsqueeze(-1).unbind(1)  # each (N, 1)
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) / size  # (S)
    columns, rows = ((centres - middle).abs() < side / 2 for middle in (x, y))  # each (N, S)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


class _Remembered:
    """Decodes each picture once and keeps it, as long as a part of the free memory has room."""

    def __init__(self, decode: Decode) -> None:
        self._decode, self._kept = decode, dict[str, Image.Image]()
        self._room = min(KEPT_FRAC * psutil.virtual_memory().available, KEPT_BYTES)

    def __call__(self, picture: str) -> Image.Image:
        """May be called from several threads."""
        image = self._kept.get(picture)
        if image is None:
            image = self._decode(picture)
            n_bytes = BYTES_A_PIXEL * image.width * image.height
            if n_bytes <= self._room:
                self._room -= n_bytes
                self._kept[picture] = image
        return image


class Stored(Protocol):
    """Encoded pictures by id, upright and little larger than the input."""

    @property
    def history(self) -> tuple[StoredForm, ...]:
        """The forms that a picture file went through to become a stored picture."""
        ...

    def encoded(self, picture: str) -> bytes:
        """The file, JPEG or PNG."""
        ...

    def decode(self, picture: str) -> Image.Image:
        """The picture, RGB."""
        ...

    def at(self, size_px: int, report: Report) -> "Stored":
        """The same pictures for a smaller input; `report` may show a bar while they are made."""
        ...


@dataclass(frozen=True)
class Pictures:
    """Batches of a set of pictures, at the size of the network's input.

    Attributes:
        decode: id -> RGB picture.
        size_px: side of the square input.
        frame: what the plain view shows.
        device: where the batches go.
        stored: the encoded pictures.
        on_gpu: decoded pictures on a GPU, which crops them; None: threads crop.
    """

    decode: Decode
    size_px: int
    frame: Frame
    device: torch.device
    stored: Stored
    on_gpu: GpuPixels | None = None

    @classmethod
    def of(cls, stored: Stored, size_px: int, frame: Frame, device: torch.device) -> "Pictures":
        """The pictures of a store; a GPU keeps them decoded while a part of its memory has room."""
        on_gpu = GpuPixels.of(stored.encoded, device) if device.type == "cuda" else None
        return cls(stored.decode, size_px, frame, device, stored, on_gpu)

    @property
    def preprocessing(self) -> Preprocessing:
        """What a picture file goes through before it is cropped here."""
        return Preprocessing(stored=self.stored.history, pillow=versions("pillow")["pillow"])

    def at(self, size_px: int, report: Report) -> "Pictures":
        """The same pictures at another, smaller input size."""
        if size_px == self.size_px:
            return self
        smaller = self.stored.at(size_px, report)
        if smaller is self.stored:
            return replace(self, size_px=size_px)
        found = Pictures.of(smaller, size_px, self.frame, self.device)
        return found.remembered() if isinstance(self.decode, _Remembered) else found

    def remembered(self) -> "Pictures":
        """The same pictures, kept decoded as long as a part of the free memory has room.

        For training over several epochs: later epochs read most pictures from memory.
        """
        return replace(self, decode=_Remembered(self.decode))

    def plain(self, batches: Iterable[Sequence[str]]) -> Iterator[Tensor]:
        """Yield the plain views (N, 3, S, S), uint8, of each batch of ids."""
        yield from self._crops([(i, PLAIN) for i in ids] for ids in batches)

    def views(
        self, batches: Iterable[Sequence[str]], augment: AugmentParams, seed: int, view: int
    ) -> Iterator[Tensor]:
        """Yield view number `view` (N, 3, S, S), float32 in [0, 255], of each batch of ids."""
        yield from self.drawn([(i, draw(augment, seed, view, i)) for i in ids] for ids in batches)

    def drawn(self, jobs: Iterable[Job]) -> Iterator[Tensor]:
        """Yield the drawn views (N, 3, S, S), float32 in [0, 255], of each batch of (id, draw)."""
        ahead, jobs = tee(jobs)
        for crops, job in zip(self._crops(ahead), jobs, strict=True):
            yield moved(crops, [view for _, view in job])

    def _crops(self, batches: Iterable[Job]) -> Iterator[Tensor]:
        """Yield the crops (N, 3, S, S), uint8, of each batch, made some pictures ahead of their use."""
        if self.on_gpu is None:
            yield from self._cropped_by_threads(batches)
            return
        ahead, batches = tee(batches)
        decoded = self.on_gpu.batches([picture for picture, _ in job] for job in ahead)
        for pixels, job in zip(decoded, batches, strict=True):
            views = [view for _, view in job]
            boxes = [
                crop_box(shown.shape[1], shown.shape[0], self.frame, view)
                for shown, view in zip(pixels, views, strict=True)
            ]
            yield gpu_crops(pixels, boxes, self.size_px, [view.blur_px for view in views])

    def _cropped_by_threads(self, batches: Iterable[Job]) -> Iterator[Tensor]:
        pinned = self.device.type == "cuda"  # a GPU copies from pinned memory while it computes

        def parts() -> Iterator[tuple[Tensor, range, Job]]:
            for job in batches:
                shape = (len(job), self.size_px, self.size_px, 3)
                crops = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
                for start in range(0, len(job), PART):
                    yield crops, range(start, min(start + PART, len(job))), job

        def crop(part: tuple[Tensor, range, Job]) -> Tensor | None:
            crops, rows, job = part
            pixels = crops.numpy()
            for row in rows:
                picture, view = job[row]
                pixels[row] = cropped(self.decode(picture), self.size_px, self.frame, view)
            return crops if rows.stop == len(job) else None

        for crops in in_order(crop, parts()):
            if crops is not None:  # the last part: the batch is complete
                # (N, S, S, 3) -> (N, 3, S, S), which is channels_last in memory as it stands
                yield crops.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
