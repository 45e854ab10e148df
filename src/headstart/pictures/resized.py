"""2_resized: all encoded pictures in one memory-mapped Arrow file with O(1) access by id."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import PIL
import pyarrow as pa
from PIL import Image
from pydantic import ValidationError

from headstart.kept.outs import Part
from headstart.kept.records import made_once
from headstart.pictures.preprocessing import StoredForm
from headstart.pictures.rgb import decode_stored
from headstart.project.errors import HeadstartError
from headstart.project.report import Report
from headstart.project.work import kept
from headstart.project.workers import in_order

N_ROWS_A_BATCH = 64  # rows held in memory while writing

# Of a smaller input: what its pictures keep for zooms and crops (the course's 83 px for 64), and from
# which ratio on a copy pays.
SPARE = 1.3
PAYS_FROM = 1.5

# A struct of bytes and path is how other tools (Hugging Face datasets) know a column of images.
_SCHEMA = pa.schema(
    [("id", pa.string()), ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
)


def write_resized(
    folder: Path, rows: Iterable[tuple[str, bytes]], manifest: Mapping[str, str | int]
) -> dict[str, int]:
    """Write pictures.arrow and manifest.json, holding only a few rows in memory at a time.

    Args:
        folder: made if need be; each file is written beside and then renamed.
        rows: (id, encoded picture), ids rising.
        manifest: how the pictures were made (size_px, codec, ...; `codec` gives the paths their
            suffix); n_pictures and ids_sha256 (sha256 of the ids, a line each) are added.

    Returns:
        n_pictures, n_bytes (of pictures.arrow).

    Raises:
        ValueError: the ids do not rise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "png" if manifest["codec"] == "png" else "jpg"
    rows, last, n, digest = iter(rows), "", 0, hashlib.sha256()
    beside = folder / "pictures.arrow.partial"
    with pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        while batch := list(islice(rows, N_ROWS_A_BATCH)):
            for picture, _ in batch:
                if picture <= last:
                    raise ValueError(f"picture {picture!r} follows {last!r}: ids must rise.")
                last = picture
                digest.update(f"{picture}\n".encode())
            n += len(batch)
            images = [{"bytes": data, "path": f"{picture}.{suffix}"} for picture, data in batch]
            columns = [
                pa.array([picture for picture, _ in batch]),
                pa.array(images, _SCHEMA[1].type),
            ]
            writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
    beside.replace(folder / "pictures.arrow")
    about = {**manifest, "n_pictures": n, "ids_sha256": digest.hexdigest()}
    beside = folder / "manifest.json.partial"
    beside.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    beside.replace(folder / "manifest.json")
    return {"n_pictures": n, "n_bytes": (folder / "pictures.arrow").stat().st_size}


def picture_places(folder: Path) -> Part:
    """Where in pictures.arrow the bytes of each picture lie, in the order of the ids."""
    file = folder / "pictures.arrow"
    starts, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    with pa.memory_map(str(file)) as source:
        first = source.read_buffer().address  # zero-copy, as all that is read below
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
        digest: sha256 hex of the ids and the manifest, so of all that shapes the pictures.
        form: what shapes each of them, whichever they are: the manifest without their number and ids.
        history: the forms that a picture file went through to become one of them; the last is theirs.
    """

    def __init__(self, folder: Path, history: tuple[StoredForm, ...] = ()) -> None:
        """Open `folder` (touches no picture's bytes).

        Args:
            folder: of pictures.arrow and manifest.json.
            history: of copies of stored pictures; () where the manifest tells the only form.

        Raises:
            ValueError: the file and its manifest do not belong together, or the manifest does not
                tell the form of the pictures.
            OSError: one of them is missing.
        """
        self._folder = folder
        text = (folder / "manifest.json").read_text(encoding="utf-8")
        self.manifest: dict[str, str | int] = json.loads(text)
        with pa.memory_map(str(folder / "pictures.arrow")) as source:
            table = pa.ipc.open_file(source).read_all()  # zero-copy: the arrays point into the map
        self.ids: list[str] = table["id"].to_pylist()
        lines = "".join(f"{picture}\n" for picture in self.ids)
        if hashlib.sha256(lines.encode()).hexdigest() != self.manifest["ids_sha256"]:
            raise HeadstartError(
                f"{folder}: pictures.arrow does not hold the ids of its manifest.json."
            )
        self.digest: str = hashlib.sha256((lines + text).encode()).hexdigest()
        self.form = {
            k: v for k, v in self.manifest.items() if k not in ("n_pictures", "ids_sha256")
        }
        self.history = history or (self._form_told(),)
        self._bytes = [chunk.field("bytes") for chunk in table["image"].chunks]
        self._place = {picture: place for place, picture in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __reduce__(
        self,
    ) -> tuple[type["ResizedPictures"], tuple[Path, tuple[StoredForm, ...]]]:
        return ResizedPictures, (self._folder, self.history)

    def _form_told(self) -> StoredForm:
        keys = StoredForm.model_fields.keys() & self.manifest.keys()
        try:
            return StoredForm.model_validate({key: self.manifest[key] for key in keys})
        except ValidationError as error:
            raise HeadstartError(
                f"{self._folder}/manifest.json does not tell how its pictures are stored: {error}"
            ) from None

    def encoded(self, picture: str) -> bytes:
        """The encoded bytes of the picture with this id.

        Raises:
            KeyError: no such picture.
        """
        if picture not in self._place:
            raise KeyError(f"{self._folder} holds no picture {picture!r} (it holds {len(self)}).")
        batch, row = divmod(self._place[picture], N_ROWS_A_BATCH)
        data: bytes = self._bytes[batch][row].as_py()
        return data

    def decode(self, picture: str) -> Image.Image:
        """The picture, RGB.

        Raises:
            KeyError: no such picture.
        """
        return decode_stored(self.encoded(picture))

    def at(self, size_px: int, report: Report) -> "ResizedPictures":
        """The pictures for an input of `size_px`: smaller copies where that pays.

        The copies have a shorter side of SPARE times the input, in the codec of the pictures. Each is
        made once and kept (see `kept/records.py`), not once an epoch.
        """
        stored, short = self.history[-1], math.ceil(SPARE * size_px)
        if PAYS_FROM * short > stored.size_px:
            return self
        form = stored.model_copy(update={"size_px": short, "pillow": PIL.__version__})
        about = form.model_dump(exclude_none=True, exclude={"pillow"}) | {"source": self.digest}
        versions = {"pillow": form.pillow, "pyarrow": pa.__version__}
        shaped_by = {"of": "copies", "size_px": short, "stored": self.form, **versions}

        def smaller(picture: str) -> bytes:
            return form.encode(self.encoded(picture))

        def copied(new: Sequence[str]) -> Iterator[bytes]:
            return report.progress(in_order(smaller, new), len(new), f"copies of {short} px")

        def make(folder: Path) -> None:
            rows = zip(self.ids, made_once(shaped_by, self.ids, copied), strict=True)
            write_resized(folder, rows, about)

        copies = kept("smaller", about | versions, make)
        return ResizedPictures(copies, (*self.history, form))
