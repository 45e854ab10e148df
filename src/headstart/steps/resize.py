"""Store every picture small and in one form, so that all later stages read little and alike."""

from collections.abc import Iterator, Mapping, Sequence

import PIL
import pyarrow as pa
from pydantic import Field

from headstart.core.once import Once, anew
from headstart.core.report import Report
from headstart.core.rgb import Codec, shrunk
from headstart.core.section import Section
from headstart.core.workers import in_order


class ResizeParams(Section):
    """Section `resize`: how pictures are stored."""

    size_px: int = Field(
        ge=8, description="shorter side of the stored picture, px, at least 8; smaller ones stay"
    )
    codec: Codec = Field(description="jpeg (lossy) or png (lossless)")
    quality: int = Field(ge=1, le=95, description="of jpeg, 1 to 95; png has none")

    def manifest(self) -> dict[str, str | int]:
        """All that shapes the bytes, apart from the pictures themselves."""
        values: dict[str, str | int] = {"size_px": self.size_px, "codec": self.codec}
        if self.codec == "jpeg":
            values["quality"] = self.quality
        return {**values, "pillow": PIL.__version__, "pyarrow": pa.__version__}


def resize(
    rows: Sequence[tuple[str, str]],
    files: Mapping[str, bytes],
    params: ResizeParams,
    report: Report,
    once: Once[bytes] = anew,
) -> Iterator[tuple[str, bytes]]:
    """Yield (id, encoded picture) in the order of `rows`, a few in memory at a time.

    Upright 8-bit RGB (core/rgb.py), the shorter side brought to `size_px` with antialiasing
    (bicubic); a smaller picture keeps its size. A JPEG that is RGB, upright and no larger keeps its
    very bytes where the codec is jpeg: encoding it again would only lose. The bytes depend on the
    picture, the params and Pillow's version alone, not on the number of workers.

    Args:
        rows: (id, path) of each picture.
        files: contents by path.
        params: how to store.
        report: shown while resizing.
        once: remembers pictures that were resized before, or does not.
    """
    paths = dict(rows)

    def stored(picture: str) -> bytes:
        return shrunk(files[paths[picture]], params.size_px, params.codec, params.quality)

    def make(new: Sequence[str]) -> Iterator[bytes]:
        return report.progress(in_order(stored, new), len(new), "resize")

    yield from zip(
        paths, once({"of": "resized", **params.manifest()}, list(paths), make), strict=True
    )
