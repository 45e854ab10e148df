"""From the bytes of a picture file to the picture that is cropped to the network's input.

The pipeline does this in steps and keeps the result of each; `headstart predict` does all of them at
once. Both use `StoredForm.encode`, so a network sees the same pixels from both.
"""

import tempfile
from typing import Literal, Self

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headstart.pictures.rgb import decode_rgb, is_plain_jpeg

Codec = Literal["jpeg", "png"]


class StoredForm(BaseModel):
    """A form in which pictures are stored: upright 8-bit RGB, reduced, encoded again.

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
        """Convert a picture file to this form.

        Larger pictures are resized with antialiasing (bicubic). If the codec is jpeg, a JPEG that is
        RGB, upright and no larger keeps its bytes, because encoding it again would only lose quality.
        The result depends only on the file, the form and the version of the installed Pillow.

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
        # Pillow encodes into a file without Python's lock. Into memory it would hold the lock, and
        # other threads would wait.
        with tempfile.TemporaryFile() as file:
            if self.quality is not None:
                image.save(file, "JPEG", quality=self.quality, subsampling="4:4:4")
            else:
                image.save(file, "PNG")
            file.seek(0)
            return file.read()


class Preprocessing(BaseModel):
    """The steps that a picture file goes through before its crop.

    Attributes:
        stored: the forms in which the pipeline stored the picture, in order, each made from the one
            before.
        pillow: version of Pillow that decoded and cropped the last of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stored: tuple[StoredForm, ...] = Field(min_length=1)
    pillow: str

    def encode(self, data: bytes) -> bytes:
        """Convert a picture file to the last stored form.

        Raises:
            Exception: as `decode_rgb`.
        """
        for form in self.stored:
            data = form.encode(data)
        return data

    def pillows(self) -> set[str]:
        """All versions of Pillow that took part."""
        return {self.pillow, *(form.pillow for form in self.stored)}
