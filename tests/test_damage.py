"""Damage of any file that a stage reads is noticed by its reader, in one sentence with the remedy."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.project.errors import HeadstartError
from tests.artifacts import (
    DAMAGED,
    artifacts,
    content,
    damages,
    flipped,
    truncated,
    write_artifacts,
)

KINDS = 25  # files of the small project
ONCE = "data/2_resized/pictures.arrow"  # holds bytes that nobody reads: paths, padding


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("artifacts")
    write_artifacts(root, Path(__file__).parents[1])
    return root


def outcome(root: Path, file: Path, damaged: bytes, whole: bytes, what: str) -> str:
    """How the reader takes the damaged content of `file`; the file is whole again afterwards."""
    before = file.read_bytes()
    file.write_bytes(damaged)
    try:
        read = content(root, file)
    except HeadstartError as error:
        assert re.match(DAMAGED, str(error)), f"{what}: {error}"
        assert str(error).startswith(str(file.parent)), f"{what}: {error}"
        return "refused"
    finally:
        file.write_bytes(before)
    assert read == whole, f"{file}, {what}: read as if it were whole"
    return "same content"


def test_a_flipped_bit_or_a_cut_is_refused(root: Path, figures: Callable[[str], None]) -> None:
    files, told = artifacts(root), Counter[str]()
    assert len(files) == KINDS
    for file in files:
        whole, data = content(root, file), file.read_bytes()
        n, name = len(data), file.relative_to(root).as_posix()
        places = {0, 9, n // 3, n // 2, n - 2}
        tries = [flipped(data, at, bit=at % 7) for at in sorted(places)]
        for what, damaged in [*tries, *(truncated(data, at) for at in (0, n // 2, n - 1))]:
            found = outcome(root, file, damaged, whole, what)
            assert found == "refused" or name == ONCE, f"{name}, {what}"
            told[found] += 1
    figures(f"{told.total()} damages of {KINDS} files: {told['refused']} refused, none misread")


@pytest.mark.long
def test_no_random_damage_is_read_as_if_it_were_whole(
    root: Path, figures: Callable[[str], None]
) -> None:
    told, n = Counter[str](), 400
    for seed, file in enumerate(artifacts(root)):
        whole = content(root, file)
        for what, damaged in damages(file.read_bytes(), n, seed):
            told[outcome(root, file, damaged, whole, what)] += 1
    same = f"{told['same content']} in bytes that nobody reads"
    figures(f"{told.total()} random damages of {KINDS} files: {told['refused']} refused, {same}")
