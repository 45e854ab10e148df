"""From the bytes of a picture file to the picture that is cropped to the network's input.

The pipeline does this in steps and keeps what each gives; `headstart predict` does it at once. Both do
it with `StoredForm.encode`, so a network is shown the same pixels by both.
"""

import tempfile
from typing import Literal, Self

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headstart.pictures.rgb import decode_rgb, is_plain_jpeg

Codec = Literal["jpeg", "png"]


class StoredForm(BaseModel):
    """A form in which pictures are stored: upright 8-bit RGB, small, encoded again.

    Attributes:
        size_px: of the shorter side, px; a smaller picture keeps its size.
        codec: jpeg (lossy) or png (lossless).
        quality: of jpeg, 1 to 95; png has none.
        pillow: version of Pillow that encodes; another one may give other bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    size_px: int = Field(ge=1)
    codec: Codec
    quality: int | None = Field(default=None, ge=1, le=95)
    pillow: str

    @model_validator(mode="after")
    def _jpeg_alone_has_a_quality(self) -> Self:
        if (self.quality is None) == (self.codec == "jpeg"):
            raise ValueError(f"quality is {self.quality}; a jpeg needs one, a png has none")
        return self

    def encode(self, data: bytes) -> bytes:
        """A picture file in this form.

        Resized with antialiasing (bicubic). A JPEG that is RGB, upright and no larger keeps its very
        bytes where the codec is jpeg: encoding it again would only lose. The bytes depend on the
        file, the form and the version of the installed Pillow alone.

        Args:
            data: the whole file.

        Raises:
            Exception: as `decode_rgb`.
        """
        image = decode_rgb(data, self.size_px)
        shorter = min(image.size)
        if shorter > self.size_px:
            # the shorter side comes out exactly, the longer at least as large
            width, height = (max(1, round(side * self.size_px / shorter)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        elif self.codec == "jpeg" and is_plain_jpeg(data):
            return data
        # Into a file Pillow encodes without Python's lock, into memory with it, and threads wait.
        with tempfile.TemporaryFile() as file:
            if self.quality is not None:
                image.save(file, "JPEG", quality=self.quality, subsampling="4:4:4")
            else:
                image.save(file, "PNG")
            file.seek(0)
            return file.read()


class Preprocessing(BaseModel):
    """What a picture file goes through before its crop.

    Attributes:
        stored: the forms in which the pipeline stored it, in order, each made from the one before.
        pillow: version of Pillow that decoded and cropped the last of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stored: tuple[StoredForm, ...] = Field(min_length=1)
    pillow: str

    def encode(self, data: bytes) -> bytes:
        """A picture file in the last stored form.

        Raises:
            Exception: as `decode_rgb`.
        """
        for form in self.stored:
            data = form.encode(data)
        return data

    def pillows(self) -> set[str]:
        """All versions of Pillow that took part."""
        return {self.pillow, *(form.pillow for form in self.stored)}
