"""Changed bytes in every reader: read, or refused in a sentence; no crash, no hang, no gigabyte."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.project.errors import HeadstartError
from tests.bad_inputs import pool
from tests.bad_inputs.mutations import mutated
from tests.bad_inputs.pool import Tried, try_all
from tests.bad_inputs.readers import READERS
from tests.bad_inputs.worker import outcome

FORMS = ("jpeg", "png", "webp", "tiff", "gif", "bmp")
FEW = dict.fromkeys(READERS, 100) | dict.fromkeys(FORMS, 200) | {"checkpoint": 10, "params": 30}
MANY = dict.fromkeys(READERS, 6_500) | {"checkpoint": 3_000}


def test_a_few_inputs(tmp_path: Path, figures: Callable[[str], None]) -> None:
    tried = Tried()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in the processes of the pool
        for name, reader in READERS.items():
            seeds = reader.seeds()
            for number in range(FEW[name]):
                said = outcome(name, reader, seeds, number, tmp_path / "input")
                tried.add(name, number, said)
    figures(tried.figures())
    assert tried.faults == []
    assert tried.ended["read"] > 100 and tried.ended["refused"] > 100


@pytest.mark.long
def test_many_inputs(tmp_path: Path, figures: Callable[[str], None]) -> None:
    """About 20 minutes on two cores; inputs that end in a fault stay in the folder that it names."""
    tried = try_all(MANY, tmp_path)
    figures(f"{tried.figures()}; {tried.n / tried.seconds:.0f} inputs a second")
    assert tried.n >= 100_000
    assert tried.faults == [], f"see {tmp_path / 'faults'}"


@pytest.mark.parametrize("reader", READERS)
def test_most_seeds_are_read(reader: str, tmp_path: Path) -> None:
    seeds = READERS[reader].seeds()
    ended = []
    for i, seed in enumerate(seeds):
        (tmp_path / str(i)).mkdir()
        try:
            READERS[reader].read(seed, tmp_path / str(i))
            ended.append("read")
        except HeadstartError:  # a float TIFF, a workbook, LZMA, an alias of itself
            ended.append("refused")
    assert ended.count("read") >= 0.75 * len(ended)


def test_the_same_number_gives_the_same_bytes() -> None:
    seeds = [b"one seed" * 9, b"another"]
    inputs = [mutated(seeds, "x", i) for i in range(200)]
    assert inputs == [mutated(seeds, "x", i) for i in range(200)]
    assert inputs != [mutated(seeds, "y", i) for i in range(200)]
    assert len(set(inputs)) > 150


def test_the_pool_finds_each_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "HANG_S", 4.0)
    names = ("crash", "hang", "grow", "raise", "advise")
    tried = try_all(dict.fromkeys(names, 1), tmp_path, "tests.bad_inputs.faulty_readers")
    assert tried.ended == {"crash": 1, "hang": 1, "over 1 GB": 1, "traceback": 2}
    assert {file.name for file in (tmp_path / "faults").iterdir()} == {f"{n}-0" for n in names}
