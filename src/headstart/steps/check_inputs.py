"""Say of a source what it holds, or what it held when it was here."""

from collections.abc import Mapping
from typing import Any

from headstart.fetching.seen import Seen


def check_inputs(source: str, now: Seen | None, before: Mapping[str, Any]) -> Mapping[str, Any]:
    """What later stages are told of a source.

    Args:
        source: its path, as params.yaml has it.
        now: what it holds; None if it is not on this machine.
        before: what they were told last, on this machine or on another.
    """
    return before if now is None else {"source": source, **now._asdict()}
