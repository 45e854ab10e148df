"""A sealed file tells of every change; an older one without a seal is read as before."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.project.files import read_json, write_json
from headstart.project.parquet import read_parquet, write_parquet
from headstart.project.seals import (
    MARK,
    PIECE,
    UNSEALED,
    DamagedError,
    check_seal,
    content_digest,
    seal,
)

TABLE = pa.table({"id": ["a", "b"], "n": [1, 2]}).replace_schema_metadata({"classes": "[]"})


def test_the_seal_is_the_digest_of_the_file_without_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before " + UNSEALED.encode() + b" after")
    blank = hashlib.sha256(file.read_bytes()).hexdigest()
    seal(file)
    assert file.read_bytes() == b"before " + MARK + blank.encode() + b" after"
    check_seal(file)
    (tmp_path / "plain").write_bytes(b"no place")
    with pytest.raises(ValueError, match="has no place for its digest"):
        seal(tmp_path / "plain")


def test_every_changed_bit_of_a_sealed_file_is_refused(tmp_path: Path) -> None:
    readers: dict[str, Callable[[Path], object]] = {"a.json": read_json, "a.parquet": read_parquet}
    write_json(tmp_path / "a.json", {"lr": 0.5, "ü": [1]}, sealed=True)
    write_parquet(tmp_path / "a.parquet", TABLE)
    for name, read in readers.items():
        file = tmp_path / name
        read(file)
        whole = file.read_bytes()
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 1 << at % 8
            file.write_bytes(changed)
            with pytest.raises(DamagedError, match=f"{name} is damaged: "):
                read(file)


def test_what_was_written_comes_back_without_the_seal(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"lr": 0.5}, sealed=True)
    assert read_json(tmp_path / "a.json") == {"lr": 0.5}
    write_parquet(tmp_path / "a.parquet", TABLE)
    read = read_parquet(tmp_path / "a.parquet")
    assert read == TABLE and read.schema.metadata == TABLE.schema.metadata


def test_files_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"lr": 0.5}))
    assert read_json(tmp_path / "a.json") == {"lr": 0.5}
    pq.write_table(TABLE, tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet") == TABLE


def test_text_that_looks_like_a_seal_harms_no_table(tmp_path: Path) -> None:
    """Class names come from the user."""
    table = pa.table({"label": [UNSEALED, "b"]}).replace_schema_metadata({"classes": UNSEALED})
    write_parquet(tmp_path / "a.parquet", table)
    assert read_parquet(tmp_path / "a.parquet") == table


def test_metrics_carry_no_seal(tmp_path: Path) -> None:
    """DVC would show it."""
    write_json(tmp_path / "a.json", {"accuracy": 0.5})
    assert json.loads((tmp_path / "a.json").read_text()) == {"accuracy": 0.5}


def test_a_large_file_has_a_digest_of_its_pieces(tmp_path: Path) -> None:
    file = tmp_path / "features.npy"
    file.write_bytes(b"a" * PIECE + b"b")
    pieces = [hashlib.sha256(piece).digest() for piece in (b"a" * PIECE, b"b")]
    assert content_digest(file) == hashlib.sha256(b"".join(pieces)).hexdigest()
