"""Work that is done once for a picture: how a step asks for it, without knowing who remembers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Once(Protocol[T]):
    """Gives the result of each picture, and has only those made that no earlier run has."""

    def __call__(
        self,
        shaped_by: Mapping[str, Any],
        ids: Sequence[str],
        make: Callable[[Sequence[str]], Iterable[T]],
        /,
    ) -> Iterator[T]:
        """One result an id, in the order of `ids`.

        Args:
            shaped_by: JSON values; all that shapes a result beside the picture. Its "code" is the
                digest of the rooms that make it (`project.work.code_digest`).
            ids: of N pictures, each once.
            make: ids of some of them -> their results, in their order. A picture's result does not
                depend on which others are asked for with it.
        """
        ...


def anew(
    shaped_by: Mapping[str, Any],
    ids: Sequence[str],
    make: Callable[[Sequence[str]], Iterable[T]],
    /,
) -> Iterator[T]:
    """Make all of them."""
    yield from make(ids)


def of_bytes(once: Once[T], sha256: Mapping[str, str]) -> Once[T]:
    """`once`, for results that are made from other bytes than those whose digest the id is.

    A result is found again only where the picture has the bytes that it was made from.

    Args:
        once: remembers.
        sha256: digest (hex) of the bytes of each picture, by id.
    """

    def once_of_bytes(
        shaped_by: Mapping[str, Any],
        ids: Sequence[str],
        make: Callable[[Sequence[str]], Iterable[T]],
        /,
    ) -> Iterator[T]:
        of = {f"{picture}.{sha256[picture][:16]}": picture for picture in ids}
        yield from once(shaped_by, list(of), lambda new: make([of[name] for name in new]))

    return once_of_bytes


class Known(Protocol):
    """Results of earlier runs by picture, for callers that know the id only after reading the bytes."""

    def __contains__(self, picture: str) -> bool: ...

    def get(self, picture: str) -> bytes | None:
        """The result, or None. May be called from several threads."""
        ...

    def add(self, picture: str, data: bytes) -> None:
        """Keep a result for later runs. Called from one thread."""
        ...


class NothingKnown:
    """Remembers nothing."""

    def __contains__(self, picture: str) -> bool:
        return False

    def get(self, picture: str) -> bytes | None:
        """None."""
        return None

    def add(self, picture: str, data: bytes) -> None:
        """Forget it."""
