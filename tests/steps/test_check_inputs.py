"""What later stages are told of a source, here and where it is absent."""

from headstart.fetching.seen import Seen
from headstart.steps.check_inputs import check_inputs

NOW = Seen(2, 7, "0" * 64)
TOLD = {"source": "/a/folder", "n_files": 2, "n_bytes": 7, "sha256": "0" * 64}


def test_it_tells_what_a_source_holds() -> None:
    assert check_inputs("/a/folder", NOW, {}) == TOLD


def test_it_tells_the_same_of_a_source_that_is_absent() -> None:
    assert check_inputs("/a/folder", None, TOLD) == TOLD
