"""Where pictures come from: a package, archives on the net, or the user's folder of them."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator, model_validator

from headstart.fetching.descriptions import checked_path, read_description
from headstart.fetching.local_archives import ARCHIVE_SUFFIXES, LocalArchive
from headstart.fetching.parquet_sources import ParquetImages, find_parquet
from headstart.fetching.remote_sources import RemoteImages
from headstart.fetching.shard_sources import ShardImages, find_shards
from headstart.project.addresses import why_secret
from headstart.project.located import AbsentError, Package, Sha256, SourceError, UserPath
from headstart.project.section import Section

MAX_GROWTH = 10  # unpacked bytes per byte of archive, unless max_unpacked_bytes says otherwise

Md5 = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="32 hex digits")]
Inside = Annotated[str, Field(pattern=r"^[^/\\]+(/[^/\\]+)*$", description="path with /")]


class PackageImages(Package):
    """Pictures in an installed package; sha256 is tree_digest."""

    n_files: int = Field(ge=1, description="number of files")
    n_bytes: int = Field(ge=1, description="size of all files, bytes")


class Archive(Section):
    """One archive on the net, with one checksum of its bytes."""

    url: str = Field(description="http or https, of a .zip, .tar, .tgz or .tar.gz")
    n_bytes: int = Field(ge=1, description="size of the archive, bytes")
    sha256: Sha256 | None = None
    md5: Md5 | None = Field(
        default=None, description="32 hex digits; only if no sha256 is published"
    )

    @field_validator("url")
    @classmethod
    def _url_of_an_archive(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must begin with https:// (or http://) and a host")
        if why := why_secret(url):
            raise ValueError(why)
        if not parts.path.lower().endswith(ARCHIVE_SUFFIXES):
            raise ValueError(f"must name a file that ends in {', '.join(ARCHIVE_SUFFIXES)}")
        return url

    @model_validator(mode="after")
    def _one_checksum(self) -> Self:
        if (self.sha256 is None) == (self.md5 is None):
            raise ValueError("must have exactly one of sha256 (better) and md5")
        return self

    @property
    def name(self) -> str:
        """The last part of the address: the file's name."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name

    @property
    def checksum(self) -> tuple[str, str]:
        """(algorithm, hex digits)."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", str(self.md5))


class ArchiveImages(Section):
    """Pictures in archives on the net, which are unpacked into one folder."""

    kind: Literal["archives"]
    archives: tuple[Archive, ...] = Field(strict=False, min_length=1)
    root: Inside | None = Field(
        default=None, description="folder inside the archives that becomes the folder of pictures"
    )
    keep: tuple[Inside, ...] = Field(
        default=(), strict=False, description="files and folders below root; empty: everything"
    )
    max_unpacked_bytes: int | None = Field(
        default=None, ge=1, description=f"limit; default: {MAX_GROWTH} times the archives' n_bytes"
    )
    max_files: int = Field(
        default=1_000_000, ge=1, description="limit of files and folders, kept or not"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({archive.checksum for archive in self.archives}) < len(self.archives):
            raise ValueError("archives must differ, but two of them have the same checksum")
        return self

    @property
    def limit_bytes(self) -> int:
        """Limit of the unpacked bytes of all archives."""
        return self.max_unpacked_bytes or MAX_GROWTH * sum(a.n_bytes for a in self.archives)

    def remedy(self, key: str) -> str:
        """What to do where the limit `key` is too low."""
        return f"raise {key} in the file under sources/"


Packed = ParquetImages | ShardImages
ImagesSource = PackageImages | ArchiveImages | RemoteImages | LocalArchive | Packed | UserPath


def read_images_source(value: str) -> ImagesSource:
    """The source that `dataset.source` names.

    Raises:
        SourceError: `value` has no allowed form, or what it names does not exist; or as
            `find_parquet` and `find_shards`.
    """
    path = checked_path(
        *("dataset.source", value, "a folder of pictures", "/home/me/pictures"),
        url_hint="a URL: write it, with its size and checksum, into a file such "
        "as sources/planet_sample.yaml",
    )
    if path.is_absolute():
        if path.is_file() and path.name.lower().endswith(ARCHIVE_SUFFIXES):
            return LocalArchive(path)
        if not path.is_dir():
            or_archive = f" or an archive ({', '.join(ARCHIVE_SUFFIXES)})" if path.is_file() else ""
            kind = SourceError if path.exists() else AbsentError
            raise kind(f"dataset.source is {value!r}, which is not a folder{or_archive}.")
        return find_parquet(path) or find_shards(path) or UserPath(path)
    one_of = Annotated[PackageImages | ArchiveImages | RemoteImages, Field(discriminator="kind")]
    source: ImagesSource = read_description(path, one_of)
    return source


def that_stays(source: ImagesSource, copy: bool) -> Package | UserPath | None:
    """The source, if its pictures are read where they lie; None if they are copied.

    What comes over a network, and pictures in archives and Parquet files, are always copied; those in
    shards are read there.
    """
    if isinstance(source, ShardImages) and not copy:
        return UserPath(source.root)
    if copy or not isinstance(source, PackageImages | UserPath):
        return None
    return source


def tree_digest(digests: Mapping[str, str]) -> str:
    """sha256 (hex) of the lines "<sha256 of a file>  <its relative path>", sorted by path."""
    lines = "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()
