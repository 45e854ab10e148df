"""Store every picture small and in one form, so that later stages read fewer bytes."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from pydantic import Field

from headstart.kept.once import Once, anew
from headstart.pictures.encoding import ById, in_form
from headstart.pictures.preprocessing import Codec, StoredForm
from headstart.project.report import Report
from headstart.project.section import Section
from headstart.project.versions import PICTURES, versions
from headstart.project.work import code_digest

# The rooms that make the stored pictures.
ROOMS = ("steps/resize.py", "kept", "pictures", "project")


class ResizeParams(Section):
    """Section `resize`: how pictures are stored."""

    size_px: int = Field(
        ge=8,
        description="shorter side of the stored picture, px, at least 8; smaller pictures "
        "keep their size",
    )
    codec: Codec = Field(description="jpeg (lossy) or png (lossless)")
    quality: int = Field(ge=1, le=95, description="of jpeg, 1 to 95; png has none")

    def form(self) -> StoredForm:
        """The form in which each picture is stored."""
        quality = self.quality if self.codec == "jpeg" else None
        return StoredForm(
            size_px=self.size_px,
            codec=self.codec,
            quality=quality,
            pillow=versions("pillow")["pillow"],
        )

    def manifest(self) -> dict[str, str | int]:
        """Everything that determines the stored bytes, apart from the pictures."""
        made_by = {**versions(*PICTURES), "pyarrow": pa.__version__}
        return {**self.form().model_dump(exclude_none=True), **made_by}


def resize(
    rows: Sequence[tuple[str, str]],
    files: Mapping[str, bytes],
    params: ResizeParams,
    report: Report,
    once: Once[bytes] = anew,
) -> Iterator[tuple[str, bytes]]:
    """Yield (id, encoded picture) in the order of `rows`, with a few pictures in memory at a time.

    `StoredForm.encode` makes the bytes. They depend on the picture, the params and the versions of
    Pillow and its plugins alone, not on the number of workers.

    Args:
        rows: (id, path) of each picture.
        files: content by path.
        params: section resize.
        report: shows progress while resizing.
        once: reuses pictures that were resized before; `anew` resizes all.
    """
    paths = dict(rows)
    read = ById(files, paths)

    def make(new: Sequence[str]) -> Iterator[bytes]:
        stored = in_form(params.form(), new, read, shaped_by)
        return report.progress(stored, len(new), "resize")

    shaped_by = {
        "of": "resized",
        "code": code_digest(*ROOMS),
        **params.manifest(),
    }
    yield from zip(paths, once(shaped_by, list(paths), make), strict=True)
