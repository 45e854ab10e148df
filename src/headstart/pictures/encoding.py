"""Pictures in a stored form, made by threads of this process or by workers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.cluster.chosen import workers_for
from headstart.pictures.preprocessing import StoredForm
from headstart.project.versions import PICTURES, require, versions
from headstart.project.workers import in_order

if TYPE_CHECKING:
    from headstart.cluster.jobs import Make, Read


def in_form(
    form: StoredForm, ids: Sequence[str], read: "Read", shaped_by: Mapping[str, Any]
) -> Iterator[bytes]:
    """Yield each picture in `form`, in the order of `ids`.

    Args:
        form: the form.
        ids: of N pictures, each once; an id and `shaped_by` tell the picture's bytes.
        read: id -> picture file; can be pickled.
        shaped_by: JSON values: all that shapes the result besides the picture.

    Raises:
        Exception: as `form.encode`, or of `read`.
    """
    if workers := workers_for(len(ids)):
        from headstart.cluster.spread import Work, spread  # late: seldom needed

        job = EncodeJob(form, versions(*PICTURES))
        return spread(workers, Work(lambda: job, shaped_by, shaped_by, None, read), ids)
    return in_order(lambda picture: form.encode(read(picture)), ids)


@dataclass(frozen=True)
class ById:
    """Reads a picture's file; workers that see the same folder can do so too.

    Attributes:
        files: content by path.
        paths: of a file with the picture's content, by id.
    """

    files: Mapping[str, bytes]
    paths: Mapping[str, str]

    def __call__(self, picture: str) -> bytes:
        """The bytes of the file."""
        return self.files[self.paths[picture]]


@dataclass(frozen=True)
class EncodeJob:
    """Encodes pictures; a `cluster.jobs.Job`."""

    form: StoredForm
    versions: Mapping[str, str]

    def open(self) -> "Make":
        """Raise HeadstartError if Pillow or a plugin has another version here."""
        require(self.versions)

        def make(ids: Sequence[str], _: Any, read: "Read") -> Iterable[bytes]:
            return in_order(lambda picture: self.form.encode(read(picture)), ids)

        return make
