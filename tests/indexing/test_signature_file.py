"""Signatures come back from their file as they were added."""

import numpy as np
import pytest

from headstart.indexing import signature_file
from headstart.indexing.signature_file import SignatureFile, in_order


def test_it_gives_what_was_added() -> None:
    signatures = np.random.default_rng(0).random((5, 32, 32)).astype(np.float16)
    with SignatureFile() as file:
        for cells in signatures:
            file.add(cells.tobytes())
        array = file.array()
    assert array.shape == (5, 32, 32) and not array.flags.writeable
    np.testing.assert_array_equal(array, signatures)


def test_nothing_is_an_array_of_none() -> None:
    with SignatureFile() as file:
        assert file.array().shape == in_order(file.array(), []).shape == (0, 32, 32)


def test_they_can_be_put_into_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature_file, "N_AT_ONCE", 2)
    signatures = np.random.default_rng(0).random((5, 32, 32)).astype(np.float16)
    order = [4, 0, 3, 1, 2]
    np.testing.assert_array_equal(in_order(signatures, order), signatures[order])
