"""Decodes stored pictures for a GPU: by the GPU where it gives the same pixels, else by threads.

A frozen network waits for its pictures. On 16 cores with an H200, eight threads decoded 5,700
pictures of 256 px a second, the GPU 17,700 for four threads. More threads wait for one another:
sixteen decoded 2,800, and the GPU 4,900 for them. Decoders agree on a JPEG whose colours are stored
for each pixel (4:4:4), as `resize` writes it. Where colours are stored at half the resolution (4:2:0),
each decoder fills them in its own way. Such files and PNGs therefore stay with the threads. So do all
files if the first ones come out different.
"""

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbone import torchvision_ops
from headstart.pictures.rgb import decode_stored

Decode = Callable[[bytes], NDArray[np.uint8]]
DecodeTogether = Callable[[Sequence[bytes]], list[Tensor]]
"""Files to their pixels (H, W, 3), uint8, on the GPU."""


class Decoder:
    """Decodes files for a device; may be called from several threads."""

    def __init__(
        self, device: torch.device, one: Decode, together: DecodeTogether | None = None
    ) -> None:
        """Decode nothing yet.

        Args:
            device: where the pixels go.
            one: decodes a file on the CPU.
            together: decodes 4:4:4 JPEGs on the device; None where it cannot.
        """
        self._device, self._one, self._together = device, one, together
        self._checked, self._checking = together is None, Lock()

    @classmethod
    def of(cls, device: torch.device) -> "Decoder":
        """The fastest decoder that this device, and torchvision as it is installed, have."""
        return cls(device, _on_cpu(device), _on_gpu(device))

    @property
    def n_threads(self) -> int:
        """How many threads should call, at most."""
        return 8 if self._together is None else 4

    @property
    def n_together(self) -> int:
        """How many files a call should have."""
        return 8 if self._together is None else 32

    def __call__(self, files: Sequence[bytes]) -> list[Tensor]:
        """The pixels (H, W, 3), uint8, of each JPEG or PNG, on the device."""
        whole = [i for i, file in enumerate(files) if has_all_colours(file)]
        together = self._same_as_one([files[i] for i in whole])
        if not (together and whole):
            return self._by_threads(files)
        found = dict(zip(whole, together([files[i] for i in whole]), strict=True))
        others = [i for i in range(len(files)) if i not in found]
        found |= zip(others, self._by_threads([files[i] for i in others]), strict=True)
        return [found[i] for i in range(len(files))]

    def _same_as_one(self, files: Sequence[bytes]) -> DecodeTogether | None:
        """`together`, if it gives the first files it meets the pixels that `one` gives them."""
        with self._checking:
            if files and self._together and not self._checked:
                found = self._together(files)
                wanted = map(self._one, files)
                pairs = zip(found, wanted, strict=True)
                if not all(np.array_equal(a.cpu().numpy(), b) for a, b in pairs):
                    self._together = None
                self._checked = True
        return self._together

    def _by_threads(self, files: Sequence[bytes]) -> list[Tensor]:
        """Decoded by the thread that calls; one copy, from pinned memory, takes them to a GPU."""
        found = [self._one(file) for file in files]
        n_bytes = sum(pixels.size for pixels in found)
        flat = torch.empty(n_bytes, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        if found:
            np.concatenate([pixels.reshape(-1) for pixels in found], out=flat.numpy())
        cuts = torch.split(
            flat.to(self._device, non_blocking=True), [pixels.size for pixels in found]
        )
        return [cut.view(pixels.shape) for cut, pixels in zip(cuts, found, strict=True)]


def has_all_colours(file: bytes) -> bool:
    """Whether a file is a baseline JPEG in YCbCr that stores the colours of each pixel (4:4:4).

    Source: ITU-T T.81, sections B.1.1 and B.2.2; JFIF 1.02 says that three components are YCbCr.
    """
    if file[:2] != b"\xff\xd8":
        return False
    place = 2
    while place + 4 <= len(file) and file[place] == 0xFF:
        marker, length = file[place + 1], int.from_bytes(file[place + 2 : place + 4])
        if marker == 0xEE:  # Adobe's, whose three components may be RGB
            return False
        if marker in (0xC0, 0xC1):  # the start of a baseline or extended frame
            start = place + 10  # behind its precision (1), height (2), width (2), and their number
            n, sampling = file[place + 9], file[start + 1 : start + 9 : 3]
            return n == 3 and file[place + 4] == 8 and sampling == b"\x11\x11\x11"
        if (0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xDA:
            return False  # progressive, lossless or arithmetic
        place += 2 + length
    return False


def _on_cpu(device: torch.device) -> Decode:
    """For a GPU torchvision's decoder, if it loads: it holds Python's lock for a shorter time."""
    if device.type != "cuda":
        return _by_pillow
    torchvision_ops.declare_missing()
    from torchvision.io import ImageReadMode, decode_image  # late: it costs a second

    if not hasattr(torch.ops.image, "decode_image"):  # built for another torch
        return _by_pillow

    def decode(file: bytes) -> NDArray[np.uint8]:
        data = torch.frombuffer(bytearray(file), dtype=torch.uint8)
        pixels: Tensor = decode_image(data, ImageReadMode.RGB)  # (3, H, W)
        return pixels.permute(1, 2, 0).numpy()

    return decode


def _by_pillow(file: bytes) -> NDArray[np.uint8]:
    return np.asarray(decode_stored(file))


def _on_gpu(device: torch.device) -> DecodeTogether | None:
    """nvJPEG, if torchvision was built with it."""
    if device.type != "cuda" or not hasattr(torch.ops.image, "decode_jpegs_cuda"):
        return None
    from torchvision.io import ImageReadMode, decode_jpeg

    def decode(files: Sequence[bytes]) -> list[Tensor]:
        data = [torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in files]
        found: list[Tensor] = decode_jpeg(data, ImageReadMode.RGB, device)
        # (3, H, W) each -> all pixels in one tensor, so that two kernels turn them all
        flat = torch.cat([pixels.flatten(1) for pixels in found], 1).T.contiguous()  # (all, 3)
        sizes = [pixels.shape[1:] for pixels in found]
        cuts = torch.split(flat, [height * width for height, width in sizes])
        return [cut.view(*size, 3) for cut, size in zip(cuts, sizes, strict=True)]

    return decode
