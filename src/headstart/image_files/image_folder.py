"""0_source/images: what each picture file holds, and where the files lie.

`files.parquet` lists every file with the digest and the form of its bytes. `source.json` says where
they lie: in the user's own folder, in a package, or as copies beside it in `pictures/`. Pictures inside
files of several (shards) stay in them: `files.parquet` then has their shard and offset too. Wherever
they lie, a reader refuses bytes that differ from those listed.
"""

import errno
import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from headstart.image_files.tree import Place, read_piece
from headstart.project.beside import written_beside
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json, write_json
from headstart.project.located import Package, UserPath, locate
from headstart.project.parquet import read_parquet, write_parquet

_LIST, _SOURCE, _COPIES = "files.parquet", "source.json", "pictures"
_FILES = pa.schema(
    [
        ("path", pa.string()),
        ("n_bytes", pa.int64()),
        ("sha256", pa.binary(32)),
        ("form", pa.string()),
    ]
)
_PLACES = [("shard", pa.string()), ("offset", pa.int64())]  # columns only where there are shards


class ImagesError(HeadstartError):
    """A picture file is missing, cannot be read, or differs from what was listed."""


class MissingFileError(HeadstartError, KeyError):
    """A folder has no file of that name. It is also a KeyError, which a Mapping must raise."""

    __str__ = ValueError.__str__  # KeyError would put quotes around the sentence


class ListedFile(NamedTuple):
    """One file of a source.

    Attributes:
        path: relative to the source's folder, with /.
        origin: where the file lies.
        n_bytes: its size.
        sha256: hex digest of its bytes.
        form: of the picture, as `forms.form_of` gives it; '' if it is none, or not known by its bytes.
        place: where in a shard it lies, which `origin` then is; None: it is a file of its own.
    """

    path: str
    origin: Path
    n_bytes: int
    sha256: str
    form: str
    place: Place | None = None


def write_images(
    folder: Path, root: Path, files: Iterable[ListedFile], stays: Package | UserPath | None
) -> None:
    """List the files in `folder`, which appears only when the list is complete.

    Args:
        folder: the folder to replace.
        root: folder of the files.
        files: sorted by path.
        stays: where the files are read from later; None: they are copied into `folder`.

    Raises:
        HeadstartError: the files lie in `folder`, which is about to be replaced.
    """
    if folder.resolve() in (root.resolve(), *root.resolve().parents):
        raise HeadstartError(
            f"dataset.source: {root} lies in {folder}, which each run replaces; move it elsewhere."
        )
    with written_beside(folder) as partial:
        (partial / _COPIES if stays is None else partial).mkdir(parents=True)
        listed: list[tuple[object, ...]] = []
        for file in files:
            digest = bytes.fromhex(file.sha256)
            listed.append((file.path, file.n_bytes, digest, file.form, *(file.place or ())))
            target = partial / _COPIES / (file.place.shard if file.place else file.path)
            if stays is None and not (file.place and target.exists()):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.origin, target)
        write_parquet(partial / _LIST, _table(listed))
        write_json(partial / _SOURCE, _description(stays), sealed=True)


def _table(listed: list[tuple[object, ...]]) -> pa.Table:
    in_shards = bool(listed) and len(listed[0]) > len(_FILES)
    schema = pa.schema([*_FILES, *_PLACES]) if in_shards else _FILES
    columns = zip(*listed, strict=True) if listed else [()] * len(schema)
    return pa.table([list(column) for column in columns], schema=schema)


def _description(stays: Package | UserPath | None) -> dict[str, str]:
    """The content of `source.json`. It names a package, not its path: any installation will do."""
    if stays is None:
        return {"copied": _COPIES}
    if isinstance(stays, UserPath):
        return {"folder": str(stays.path)}
    return stays.model_dump(include=set(Package.model_fields))


class _Hex(Mapping[str, str]):
    """Digests as hex text, kept as bytes, which take half of the memory."""

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        self._digests = digests

    def __getitem__(self, path: str) -> str:
        return self._digests[path].hex()

    def __contains__(self, path: object) -> bool:
        return path in self._digests

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


class ImageFolder(Mapping[str, bytes]):
    """The contents of the listed files by path (with /), each read when asked for, from any thread.

    Attributes:
        sha256: hex digest of each file's bytes by path, sorted by path; reads no file.
        forms: form of each picture by path, '' of other files; reads no file.
    """

    def __init__(self, folder: Path) -> None:
        """Open the list.

        Raises:
            SourceError: the pictures lie in a package that is not installed.
            ImagesError: the list is missing, or an older version wrote it.
            DamagedError: the list is damaged.
        """
        self._folder = folder
        for file in (folder / _LIST, folder / _SOURCE):
            if not file.is_file():
                raise ImagesError(f"{file} is missing: `dvc repro` lists the pictures again.")
        table = read_parquet(folder / _LIST)
        if "form" not in table.column_names:
            raise ImagesError(
                f"{folder / _LIST} has no column form, so an older version of headstart wrote it: "
                "run `dvc repro`, which lists the pictures again."
            )
        paths = table["path"].to_pylist()
        self.sha256: Mapping[str, str] = _Hex(
            dict(zip(paths, table["sha256"].to_pylist(), strict=True))
        )
        forms = map(sys.intern, table["form"].to_pylist())  # one text for all jpeg
        self.forms: Mapping[str, str] = dict(zip(paths, forms, strict=True))
        self._pieces: Mapping[str, tuple[Place, int]] = {}
        if "shard" in table.column_names:
            kept = (table[name].to_pylist() for name in ("shard", "offset", "n_bytes"))
            pieces = ((Place(*place), n) for *place, n in zip(*kept, strict=True))
            self._pieces = dict(zip(paths, pieces, strict=True))
        about: dict[str, str] = read_json(folder / _SOURCE)
        if "copied" in about:
            self._root, self._remedy = folder / about["copied"], "`dvc repro` restores it"
        elif "folder" in about:
            self._root = Path(about["folder"])
            self._remedy = "`dvc repro` lists the folder again"
        else:
            package = Package.model_validate(about)
            wanted = f"{package.package}=={package.version}"
            self._root = locate(package)
            self._remedy = f"pip install --force-reinstall {wanted}, then `dvc repro`"

    def __reduce__(self) -> tuple[type["ImageFolder"], tuple[Path]]:
        return ImageFolder, (self._folder.absolute(),)

    def __getitem__(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            MissingFileError: no such file is listed.
            ImagesError: the file cannot be read, or its bytes are not those that were listed.
        """
        if path not in self.sha256:
            raise MissingFileError(f"{self._root} has no file {path!r}.")
        place, n_bytes = self._pieces.get(path, (None, 0))
        file = self._root / (place.shard if place else path)
        try:
            if not file.is_file():  # opening a pipe would wait
                file.stat()
                raise OSError(errno.EINVAL, "it is no file")
            data = read_piece(file, place.offset, n_bytes) if place else file.read_bytes()
        except OSError as error:
            if not self._root.is_dir():
                raise ImagesError(
                    f"the folder of the pictures, {self._root}, does not exist: mount it, or set "
                    "dataset.source to its new path; then run `dvc repro`."
                ) from None
            raise ImagesError(
                f"{file} cannot be read ({error.strerror}), although fetch-images could read "
                f"it: {self._remedy}."
            ) from None
        if hashlib.sha256(data).hexdigest() != self.sha256[path]:
            raise ImagesError(f"{file} has changed since fetch-images listed it: {self._remedy}.")
        return data

    def __contains__(self, path: object) -> bool:
        return path in self.sha256

    def __iter__(self) -> Iterator[str]:
        return iter(self.sha256)

    def __len__(self) -> int:
        return len(self.sha256)
