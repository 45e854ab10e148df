"""2_resized: all encoded pictures in one memory-mapped Arrow file with O(1) access by id.

manifest.json carries a digest of itself, and one of the ids and the digests of their pictures. Opening
the folder checks both; a picture's bytes are checked when they are read first.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import ValidationError

from headstart.kept.once import of_bytes
from headstart.kept.outs import Part
from headstart.kept.remembered import Remembered
from headstart.kept.room import COPIES, made_now, used_now
from headstart.pictures.encoding import in_form
from headstart.pictures.preprocessing import StoredForm
from headstart.pictures.rgb import decode_stored
from headstart.project.beside import written_beside
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json, write_json
from headstart.project.report import Report
from headstart.project.seals import DamagedError, damage_of
from headstart.project.versions import PICTURES, versions
from headstart.project.work import code_digest, work_folder

FILE = "pictures.arrow"
N_ROWS_A_BATCH = 64  # rows held in memory while writing

# Smaller copies for a smaller input. SPARE: shorter side of a copy over the input's side, which leaves
# room for zooms and crops (the course's 83 px for 64). PAYS_FROM: a copy pays if the stored pictures
# are at least this many times as large.
SPARE = 1.3
PAYS_FROM = 1.5
# The rooms whose code determines the smaller copies.
ROOMS = ("kept", "pictures", "project")

# Other tools (Hugging Face datasets) recognise a column of images by its struct of bytes and path.
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("sha256", pa.binary(32)),
    ]
)


def write_resized(
    folder: Path, rows: Iterable[tuple[str, bytes]], manifest: Mapping[str, str | int]
) -> dict[str, int]:
    """Write pictures.arrow and manifest.json, holding only a few rows in memory at a time.

    Args:
        folder: made if need be.
        rows: (id, encoded picture), ids rising.
        manifest: how the pictures were made (size_px, codec, ...). `codec` gives the paths their
            suffix. n_pictures and pictures_sha256 are added; the latter is the sha256 of a line for
            each picture: its id and the sha256 of its bytes.

    Returns:
        n_pictures, n_bytes (of pictures.arrow).

    Raises:
        ValueError: the ids do not rise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "png" if manifest["codec"] == "png" else "jpg"
    rows, last, n, digest = iter(rows), "", 0, hashlib.sha256()
    with (
        written_beside(folder / FILE) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_file(sink, _SCHEMA) as writer,
    ):
        while batch := list(islice(rows, N_ROWS_A_BATCH)):
            digests = [hashlib.sha256(data).digest() for _, data in batch]
            for (picture, _), of_data in zip(batch, digests, strict=True):
                if picture <= last:
                    raise ValueError(f"picture {picture!r} follows {last!r}: ids must rise.")
                last = picture
                digest.update(_line(picture, of_data.hex()))
            n += len(batch)
            images = [{"bytes": data, "path": f"{picture}.{suffix}"} for picture, data in batch]
            columns = [
                pa.array([picture for picture, _ in batch]),
                pa.array(images, _SCHEMA[1].type),
                pa.array(digests, _SCHEMA[2].type),
            ]
            writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
    about = {**manifest, "n_pictures": n, "pictures_sha256": digest.hexdigest()}
    write_json(folder / "manifest.json", about, sealed=True)
    return {"n_pictures": n, "n_bytes": (folder / FILE).stat().st_size}


def _line(picture: str, sha256: str) -> bytes:
    return f"{picture} {sha256}\n".encode()


def _table(file: Path) -> pa.Table:
    """The ids, pictures and digests, memory-mapped, with offsets that point nowhere outside."""
    with damage_of(file, pa.ArrowException, OSError):
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()  # zero-copy
        table.validate(full=True)  # reads offsets and text, no picture
    if table.schema != _SCHEMA or any(table[name].null_count for name in _SCHEMA.names):
        raise DamagedError(file, "its columns are not those that were written")
    return table


def picture_places(folder: Path) -> Part:
    """Where in pictures.arrow the bytes of each picture lie, in the order of the ids."""
    file = folder / FILE
    starts, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    with pa.memory_map(str(file)) as source:
        first = source.read_buffer().address  # zero-copy, as is everything read below
        batches = pa.ipc.open_file(source)
        for number in range(batches.num_record_batches):
            pictures = batches.get_batch(number).column("image").field("bytes")
            _, ends, data = pictures.buffers()
            offsets = np.frombuffer(ends, np.int32)[: len(pictures) + 1].astype(np.int64)
            starts.append(data.address - first + offsets[:-1])
            lengths.append(np.diff(offsets))
    return Part(file, np.concatenate(starts).tolist(), np.concatenate(lengths).tolist())


class ResizedPictures:
    """The encoded pictures of one folder: memory-mapped, safe to read from many threads, picklable.

    Attributes:
        manifest: how the pictures were made.
        ids: sorted.
        sha256: hex digest of the bytes of each picture, by id. It was computed when the pictures were
            written, so no picture is read for it.
        digest: sha256 hex of the ids, the pictures' digests and the manifest.
        history: the forms that a picture file went through, in order; the last is the form of these
            pictures.
    """

    def __init__(self, folder: Path, history: tuple[StoredForm, ...] = ()) -> None:
        """Open `folder` (touches no picture's bytes).

        Args:
            folder: of pictures.arrow and manifest.json.
            history: all forms, if these are copies of stored pictures; (): the manifest gives the
                only form.

        Raises:
            DamagedError: a file is damaged, or the file and its manifest do not belong together.
            HeadstartError: the manifest does not tell the form of the pictures.
            OSError: one of them is missing.
        """
        self._folder = folder
        self.manifest: dict[str, str | int] = read_json(folder / "manifest.json")
        table = _table(folder / FILE)
        self.ids: list[str] = table["id"].to_pylist()
        digests = (digest.hex() for digest in table["sha256"].to_pylist())
        self.sha256: Mapping[str, str] = dict(zip(self.ids, digests, strict=True))
        lines = b"".join(_line(picture, digest) for picture, digest in self.sha256.items())
        if hashlib.sha256(lines).hexdigest() != self.manifest.get("pictures_sha256"):
            raise DamagedError(folder / FILE, "it does not hold the pictures of its manifest.json")
        about = json.dumps(self.manifest, sort_keys=True)
        self.digest: str = hashlib.sha256(lines + about.encode()).hexdigest()
        self.history = history or (self._form_told(),)
        self._bytes = [chunk.field("bytes") for chunk in table["image"].chunks]
        self._place = {picture: place for place, picture in enumerate(self.ids)}
        self._checked = bytearray(len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def __reduce__(
        self,
    ) -> tuple[type["ResizedPictures"], tuple[Path, tuple[StoredForm, ...]]]:
        return ResizedPictures, (self._folder.absolute(), self.history)  # elsewhere, too

    def _form_told(self) -> StoredForm:
        keys = StoredForm.model_fields.keys() & self.manifest.keys()
        try:
            return StoredForm.model_validate({key: self.manifest[key] for key in keys})
        except ValidationError as error:
            raise HeadstartError(
                f"{self._folder}/manifest.json does not say how its pictures are stored: {error}"
            ) from None

    def encoded(self, picture: str) -> bytes:
        """The encoded bytes of the picture with this id.

        Raises:
            KeyError: no such picture.
            DamagedError: its bytes are not those that were written.
        """
        if picture not in self._place:
            raise KeyError(
                f"{self._folder} holds no picture {picture!r} (it holds {len(self)} pictures)."
            )
        place = self._place[picture]
        batch, row = divmod(place, N_ROWS_A_BATCH)
        data: bytes = self._bytes[batch][row].as_py()
        if not self._checked[place]:
            if hashlib.sha256(data).hexdigest() != self.sha256[picture]:
                raise DamagedError(self._folder / FILE, f"it holds other bytes for {picture}")
            self._checked[place] = True
        return data

    def decode(self, picture: str) -> Image.Image:
        """The picture, RGB.

        Raises:
            KeyError: no such picture.
        """
        return decode_stored(self.encoded(picture))

    def at(self, size_px: int, report: Report) -> "ResizedPictures":
        """The pictures for an input of `size_px`: smaller copies where that pays.

        The shorter side of a copy is SPARE times the input's side; the codec is that of the pictures.
        Each copy is made only once, not in each epoch. The copies are kept in a file beside the
        records, which counts towards their limit (see `kept/room.py`). If pictures are added, the
        copies of the others are reused.
        """
        stored, short = self.history[-1], math.ceil(SPARE * size_px)
        if PAYS_FROM * short > stored.size_px:
            return self
        form = stored.model_copy(update={"size_px": short, **versions("pillow")})
        shaped_by = {
            "of": "copies",
            "code": code_digest(*ROOMS),
            **versions(*PICTURES),
            **form.model_dump(exclude_none=True),
        }
        about = {**shaped_by, "pyarrow": pa.__version__, "source": self.digest}
        once = Remembered()

        def copied(new: Sequence[str]) -> Iterator[bytes]:
            smaller = in_form(form, new, self.encoded, about)
            return report.progress(smaller, len(new), f"copies of {short} px")

        with work_folder(COPIES, about) as work:
            folder = work / "done"
            if not folder.exists():
                made = of_bytes(once, self.sha256)(shaped_by, self.ids, copied)
                with written_beside(folder) as partial:
                    write_resized(partial, zip(self.ids, made, strict=True), about)
                once.lie_in([picture_places(folder)], stays=True)
                made_now(work)
            used_now(work)
            return ResizedPictures(folder, (*self.history, form))
