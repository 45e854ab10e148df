"""Records that a stage writes into an out, where later runs find them again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headstart.kept.outs import Part, drop_held, file_md5, remember_out
from headstart.kept.records import keeps_records, made_once, records_folder


class Remembered:
    """`made_once` for records that a stage writes into an out, which then keeps them.

    A `kept.once.Once` of bytes.
    """

    def __init__(self) -> None:
        self._asked: list[tuple[Mapping[str, Any], Sequence[str]]] = []

    def __call__(
        self,
        shaped_by: Mapping[str, Any],
        ids: Sequence[str],
        make: Callable[[Sequence[str]], Iterable[bytes]],
        /,
    ) -> Iterator[bytes]:
        """As `made_once`."""
        self._asked.append((shaped_by, ids))
        yield from made_once(shaped_by, ids, make)

    def lie_in(self, parts: Iterable[Part], stays: bool = False) -> None:
        """Remember where the records lie in the files of an out; call it when the out is complete.

        Args:
            parts: one for each earlier call of this object, in the order of the calls.
            stays: whether the files stay where they are and hold the records from now on. Otherwise
                DVC takes them into its cache when the stage has ended.

        Raises:
            ValueError: there are more or fewer parts than calls, or a part has more or fewer records
                than its call asked for.
        """
        if not keeps_records():
            return
        digests: dict[Path, str] = {}
        for (shaped_by, ids), part in zip(self._asked, parts, strict=True):
            if part.file not in digests:
                digests[part.file] = file_md5(part.file)
            with records_folder(shaped_by) as folder:
                remember_out(folder, digests[part.file], ids, part, stays)
                if stays:
                    drop_held(folder)
