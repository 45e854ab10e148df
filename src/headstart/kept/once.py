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
            shaped_by: JSON values; all that shapes a result beside the picture and our code.
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


class Known(Protocol):
    """Results of earlier runs by picture, for who learns a picture's id only when it reads it."""

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
