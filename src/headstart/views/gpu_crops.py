"""Crops on a GPU: each picture is decoded once, the GPU keeps the pixels and scales the crops.

Threads that decode and crop with Pillow wait for one another (Python's lock), and the network waits for
them: sixteen threads made two thousand crops of stored pictures a second. Here Python only chooses the
pictures and their boxes. A crop is two products of matrices, of numbers that float32 holds exactly. So
neither the order of a sum nor the other pictures of a batch can change a bit of a crop. Pixel values
(0 to 255) are within 2 of Pillow's.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbone.device import on_device
from headstart.project.workers import in_order
from headstart.views.crops import Box
from headstart.views.gpu_decoding import Decoder

KEPT_FRAC = 1 / 4  # of the GPU's free memory, for pixels
CHUNK = 2**24  # pixels that are scaled at a time: about 400 MB
BITS = 15  # of a weight: with a pixel's 8, sums stay below the 24 bits that float32 holds


class GpuPixels:
    """Decoded pictures (H, W, 3), uint8, on a GPU; as many stay there as there is room for."""

    def __init__(self, encoded: Callable[[str], bytes], device: torch.device, room: float) -> None:
        """Decode nothing yet.

        Args:
            encoded: id -> JPEG or PNG of an upright RGB picture; called from several threads.
            device: where the pixels go.
            room: bytes that may stay.
        """
        self._encoded, self._room = encoded, room
        self._kept = dict[str, Tensor]()
        self._decoded = Decoder.of(device)

    @classmethod
    def of(cls, encoded: Callable[[str], bytes], gpu: torch.device) -> Self:
        """An empty store, with room for KEPT_FRAC of the GPU's free memory."""
        free, _ = torch.cuda.mem_get_info(gpu)
        return cls(encoded, gpu, KEPT_FRAC * free)

    def batches(self, batches: Iterable[Sequence[str]]) -> Iterator[list[Tensor]]:
        """Yield the pictures of each batch of ids, decoded in threads some batches ahead."""

        def parts() -> Iterator[tuple[Sequence[str], Sequence[str] | None]]:
            for ids in batches:
                new = [picture for picture in dict.fromkeys(ids) if picture not in self._kept]
                part = self._decoded.n_together
                yield from ((new[i : i + part], None) for i in range(0, len(new), part))
                yield (), ids

        def decoded(part: tuple[Sequence[str], Sequence[str] | None]) -> Any:
            return self._decoded([self._encoded(picture) for picture in part[0]]), *part

        here = dict[str, Tensor]()
        for pixels, new, ids in in_order(decoded, parts(), self._decoded.n_threads):
            here |= zip(new, pixels, strict=True)
            if (n_bytes := sum(picture.numel() for picture in pixels)) <= self._room:
                self._room -= n_bytes
                self._kept |= zip(new, pixels, strict=True)
            if ids is not None:
                yield [here[i] if i in here else self._kept[i] for i in ids]
                here.clear()


def gpu_crops(
    pictures: Sequence[Tensor], boxes: Sequence[Box], size_px: int, blurs_px: Sequence[float]
) -> Tensor:
    """The boxes of pictures, scaled with antialiasing as Pillow's BILINEAR does.

    Args:
        pictures: N of (H_i, W_i, 3), uint8, contiguous, on one device.
        boxes: the part of each picture that is shown (left, top, right, bottom), px of the picture.
        size_px: side S of the crops.
        blurs_px: standard deviation of the Gaussian that blurs each crop, px of the crop.

    Returns:
        (N, 3, S, S), uint8, channels_last in memory.
    """
    left, top, right, bottom = np.array(boxes).T
    n = max(1, int(CHUNK / ((right - left).max() * (bottom - top).max())))
    parts = [slice(i, i + n) for i in range(0, len(pictures), n)]
    crops = torch.cat([_crops(pictures[p], boxes[p], blurs_px[p], size_px) for p in parts])
    return crops.permute(0, 3, 1, 2)  # (N, S, S, 3) -> (N, 3, S, S)


def _crops(
    pictures: Sequence[Tensor], boxes: Sequence[Box], blurs_px: Sequence[float], size_px: int
) -> Tensor:
    """The crops (N, S, S, 3) of pictures that are scaled at a time."""
    device, n = pictures[0].device, len(pictures)
    heights, widths = np.array([picture.shape[:2] for picture in pictures]).T
    left, top, right, bottom = np.array(boxes).T
    first_row, of_rows = _scaling(top, bottom, heights, size_px, device)
    first_column, of_columns = _scaling(left, right, widths, size_px, device)
    # the pixels of the boxes, as one gather from all pictures laid one after the other
    starts = np.cumsum([0, *(heights * widths)[:-1]]) + first_row * widths + first_column
    start, width = on_device(np.stack([starts, widths])[:, :, None, None], device)  # (N, 1, 1) each
    row = torch.arange(of_rows.shape[2], device=device)[:, None]
    column = torch.arange(of_columns.shape[2], device=device)
    flat = torch.cat([picture.view(-1, 3) for picture in pictures])  # (all, 3)
    # what lies beyond a picture's own box has weight 0, whatever is read there
    place = (start + row * width + column).clamp_(max=len(flat) - 1)  # (N, H, W)
    crops = _product(of_rows, of_columns, flat[place])
    if any(blurs_px):
        blur = _blurring(blurs_px, size_px, device)  # (N, S, S)
        crops = _product(blur, blur, crops)
    return crops.view(n, size_px, size_px, 3)


def _product(of_rows: Tensor, of_columns: Tensor, x: Tensor) -> Tensor:
    """(N, S, H), (N, S, W) and (N, H, W, 3) in [0, 255] -> (N, S, S, 3), uint8.

    Columns first, and each pass rounded, as Pillow does with a wide picture.
    """
    n, size, height = of_rows.shape
    width = of_columns.shape[2]
    x = x.transpose(2, 3).to(torch.float32, memory_format=torch.contiguous_format)
    x = torch.bmm(x.view(n, height * 3, width), of_columns.transpose(1, 2))  # (N, 3 H, S)
    x = torch.bmm(of_rows, _rounded(x).view(n, height, 3 * size))  # (N, S, 3 S)
    x = _rounded(x).clamp_(0, 255).to(torch.uint8).view(n, size, 3, size)
    return x.transpose(2, 3).contiguous()  # (N, S, 3, S) -> (N, S, S, 3)


def _rounded(x: Tensor) -> Tensor:
    """Round in place, halves up as Pillow does; torch.round takes halves to the next even number."""
    x += 0.5
    return x.floor_()


def _scaling(
    first: NDArray[np.float64],
    last: NDArray[np.float64],
    n_pixels: NDArray[np.int64],
    size_px: int,
    device: torch.device,
) -> tuple[NDArray[np.int64], Tensor]:
    """Along one axis: where to start reading (N), and the weights of the L pixels read (N, S, L).

    The weights of a crop's pixel are a triangle about its middle. It reaches to the middle of the
    crop's next pixel, or to the picture's next pixel if that is farther. Pixels outside the picture
    are left out.
    """
    scale = (last - first) / size_px
    reach = np.maximum(scale, 1)
    start = np.maximum(np.floor(first - reach), 0)
    stop = np.minimum(np.ceil(last + reach), n_pixels)
    length = int((stop - start).max())
    numbers = np.stack([first - start, scale, reach, stop - start])[:, :, None, None]
    begin, step, far, end = on_device(numbers, device)  # each (N, 1, 1)
    middle = begin + (torch.arange(size_px, device=device)[:, None] + 0.5) * step  # (N, S, 1)
    pixel = torch.arange(length, device=device) + 0.5  # (L)
    weights = (1 - (pixel - middle).abs() / far).clamp_(min=0) * (pixel < end)  # (N, S, L)
    return start.astype(np.int64), _exact(weights)


def _blurring(sds_px: Sequence[float], size_px: int, device: torch.device) -> Tensor:
    """Weights (N, S, S) of Gaussians; beyond the border, the border's pixels are repeated."""
    reach = math.ceil(4 * max(sds_px))
    place = torch.arange(-reach, size_px + reach, device=device)
    middle = torch.arange(size_px, device=device)[:, None]
    sd = on_device(np.maximum(sds_px, 1e-3)[:, None, None], device)  # so small an sd blurs nothing
    wide = torch.exp(-0.5 * ((place - middle) / sd) ** 2)  # (N, S, R + S + R)
    weights = wide[:, :, reach:-reach].clone()
    weights[:, :, 0] += wide[:, :, :reach].sum(2)
    weights[:, :, -1] += wide[:, :, -reach:].sum(2)
    return _exact(weights)


def _exact(weights: Tensor) -> Tensor:
    """Scale the weights to a sum of 1 and round them to whole multiples of 2 ** -BITS, float32."""
    weights = weights / weights.sum(2, keepdim=True)
    exact: Tensor = (weights * 2**BITS).round_() / 2**BITS
    return exact.to(torch.float32)
