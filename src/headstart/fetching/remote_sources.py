"""Descriptions of pictures in a store: a bucket, the Hugging Face hub, a web server."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from headstart.fetching.shard_samples import SampleRules
from headstart.project.addresses import why_secret
from headstart.project.located import Sha256
from headstart.project.section import Section

SCHEMES = ("s3", "gs", "hf", "http", "https", "file", "memory")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MAX_FILES = 100_000  # that one address with {000..999} may stand for


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme in ("file", "memory")):
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES[:-1])
        raise ValueError(f"must begin with one of {known} and a bucket, repository or host")
    if why := why_secret(url):
        raise ValueError(
            f"{why}: credentials come from the environment or the profile of the store's own library"
        )
    if ".." in parts.path.split("/"):
        raise ValueError("must not hold '..'")
    return url


Url = Annotated[str, AfterValidator(_checked)]
Label = Annotated[str, Field(pattern=r"^(cls|txt|json(\..+)?)$")]


class RemoteFile(Section):
    """One object of a store, or all that a pattern finds there."""

    url: Url = Field(
        description="address; * and ** where the store lists its objects, {000..012} for numbers"
    )
    split: Literal["train", "valid", "test"] | None = Field(
        default=None,
        description="split of its pictures; without it, names of files and folders say",
    )
    sha256: Sha256 | None = None
    n_bytes: int | None = Field(default=None, ge=0, description="size, bytes")
    etag: str | None = Field(default=None, description="as the store gives it, without quotes")

    @property
    def is_pattern(self) -> bool:
        """Whether the store must be asked which objects are meant."""
        return any(sign in self.url for sign in "*[")

    def urls(self) -> Iterator[str]:
        """The addresses with each {000..012} written out."""
        parts = _RANGE.split(self.url)
        numbers = [
            [f"{i:0{len(first)}}" for i in range(int(first), int(last) + 1)]
            for first, last in zip(parts[1::3], parts[2::3], strict=True)
        ]
        for chosen in product(*numbers):
            yield "".join(
                text + number for text, number in zip(parts[::3], (*chosen, ""), strict=True)
            )

    @model_validator(mode="after")
    def _digest_of_one(self) -> Self:
        n = 1
        for first, last in _RANGE.findall(self.url):
            n *= max(0, int(last) - int(first) + 1)
        if not 1 <= n <= _MAX_FILES:
            raise ValueError(f"url stands for {n} files; 1 to {_MAX_FILES} are allowed")
        if (self.sha256 or self.n_bytes or self.etag) and (self.is_pattern or n > 1):
            raise ValueError("sha256, n_bytes and etag are of one file, but url stands for several")
        return self


class RemoteImages(Section):
    """Pictures in a store, which are downloaded once."""

    kind: Literal["remote"]
    form: Literal["webdataset", "parquet", "files"] = Field(
        description="webdataset: tars with picture and label side by side; parquet: as Hugging Face "
        "writes it; files: a picture a file"
    )
    files: tuple[RemoteFile, ...] = Field(strict=False, min_length=1)
    picture: str = Field(
        default="", description="suffix of the picture in a sample of a tar; default: the only one"
    )
    label: Label | None = Field(
        default=None,
        description="what holds the label in a tar: cls, txt, json or json.FIELD; default: the first "
        "of cls, txt and json (field label) that is there",
    )
    classes: tuple[str, ...] = Field(
        default=(), strict=False, description="names of the classes by number, for tars"
    )
    classes_url: Url | None = Field(
        default=None, description="address of a text that names a class a line, for tars"
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        of_tars = ("picture", "label", "classes", "classes_url")
        if self.form != "webdataset" and (given := [key for key in of_tars if getattr(self, key)]):
            raise ValueError(f"{', '.join(given)} must not be given with form {self.form}")
        if self.classes and self.classes_url:
            raise ValueError("only one of classes and classes_url may be given")
        if any(file.split for file in self.files) != all(file.split for file in self.files):
            raise ValueError("split must be given for all files or for none")
        return self

    @property
    def rules(self) -> SampleRules:
        """What the files of a tar's sample mean."""
        return SampleRules(self.picture.lower(), self.label or "", self.classes)

    @property
    def splits_given(self) -> bool:
        """Whether the description says which pictures are train, valid and test."""
        return self.files[0].split is not None
