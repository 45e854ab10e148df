"""Store every picture small and in one form, so that all later stages read little and alike."""

from collections.abc import Iterator, Mapping, Sequence

import PIL
import pyarrow as pa
from pydantic import Field

from headstart.kept.once import Once, anew
from headstart.pictures.preprocessing import Codec, StoredForm
from headstart.project.report import Report
from headstart.project.section import Section
from headstart.project.work import code_digest
from headstart.project.workers import in_order

# The rooms that make the stored pictures.
ROOMS = ("steps/resize.py", "kept", "pictures", "project")


class ResizeParams(Section):
    """Section `resize`: how pictures are stored."""

    size_px: int = Field(
        ge=8, description="shorter side of the stored picture, px, at least 8; smaller ones stay"
    )
    codec: Codec = Field(description="jpeg (lossy) or png (lossless)")
    quality: int = Field(ge=1, le=95, description="of jpeg, 1 to 95; png has none")

    def form(self) -> StoredForm:
        """The form that each picture is stored in."""
        quality = self.quality if self.codec == "jpeg" else None
        return StoredForm(
            size_px=self.size_px, codec=self.codec, quality=quality, pillow=PIL.__version__
        )

    def manifest(self) -> dict[str, str | int]:
        """All that shapes the bytes, apart from the pictures themselves."""
        return {**self.form().model_dump(exclude_none=True), "pyarrow": pa.__version__}


def resize(
    rows: Sequence[tuple[str, str]],
    files: Mapping[str, bytes],
    params: ResizeParams,
    report: Report,
    once: Once[bytes] = anew,
) -> Iterator[tuple[str, bytes]]:
    """Yield (id, encoded picture) in the order of `rows`, a few in memory at a time.

    Each in the form that `params` states (`StoredForm.encode`). The bytes depend on the picture, the
    params and Pillow's version alone, not on the number of workers.

    Args:
        rows: (id, path) of each picture.
        files: contents by path.
        params: how to store.
        report: shown while resizing.
        once: remembers pictures that were resized before, or does not.
    """
    paths, form = dict(rows), params.form()

    def stored(picture: str) -> bytes:
        return form.encode(files[paths[picture]])

    def make(new: Sequence[str]) -> Iterator[bytes]:
        return report.progress(in_order(stored, new), len(new), "resize")

    shaped_by = {"of": "resized", "code": code_digest(*ROOMS), **params.manifest()}
    yield from zip(paths, once(shaped_by, list(paths), make), strict=True)
