"""The interface through which a step asks for results that are made only once for each picture.

The step does not know where the results are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Once(Protocol[T]):
    """Gives the result of each picture, and makes only the results that no earlier run has made."""

    def __call__(
        self,
        shaped_by: Mapping[str, Any],
        ids: Sequence[str],
        make: Callable[[Sequence[str]], Iterable[T]],
        /,
    ) -> Iterator[T]:
        """One result an id, in the order of `ids`.

        Args:
            shaped_by: JSON values: everything that determines a result besides the picture. Its
                "code" is the digest of the rooms that make it (`project.work.code_digest`).
            ids: of N pictures, each once.
            make: some of the ids -> their results, in the same order. A picture's result must not
                depend on the other ids of the call.
        """
        ...


def anew(
    shaped_by: Mapping[str, Any],
    ids: Sequence[str],
    make: Callable[[Sequence[str]], Iterable[T]],
    /,
) -> Iterator[T]:
    """A `Once` that keeps nothing: it makes all results."""
    yield from make(ids)


def of_bytes(once: Once[T], sha256: Mapping[str, str]) -> Once[T]:
    """Adapt `once` to results made from other bytes than those whose digest is the picture's id.

    An earlier result is used only if the picture has the bytes that the result was made from.

    Args:
        once: keeps the results.
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
