"""Writes a safetensors file with our own metadata and its digest, and reads metadata, without torch.

The format: length of the header (8 bytes, little-endian), header (JSON), then the numbers.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.project.beside import written_beside
from headstart.project.seals import KEY, UNSEALED, check_seal, seal


def write_safetensors(path: Path, data: bytes, metadata: Mapping[str, str]) -> None:
    """Write the tensors of `data` with `metadata`, sealed. The same input gives the same bytes.

    (safetensors itself writes metadata of several keys in an order that differs from run to run.)

    Args:
        path: the file to write.
        data: the content of a safetensors file; its own metadata are left out.
        metadata: values by key.
    """
    header, end = _header(data)
    header.pop("__metadata__", None)
    header["__metadata__"] = {KEY: UNSEALED, **dict(sorted(metadata.items()))}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8
    with written_beside(path) as partial:
        with partial.open("wb") as file:
            file.writelines((len(text).to_bytes(8, "little"), text, memoryview(data)[end:]))
        seal(partial)


def read_whole(path: Path) -> bytes:
    """The bytes of a safetensors file that is not damaged (see `seals.check_seal`).

    Raises:
        DamagedError: the file is damaged.
    """
    check_seal(path)
    return path.read_bytes()


def metadata_of(data: bytes) -> dict[str, str]:
    """The metadata in the content of a safetensors file, without its seal; {} if it has none."""
    found: dict[str, str] = _header(data)[0].get("__metadata__", {})
    return {key: text for key, text in found.items() if key != KEY}


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header of a file, and where its numbers begin."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), end
