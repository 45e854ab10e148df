from pathlib import Path

import pytest

from headstart.cluster.shard_files import ShardFiles, packed, unpacked

ONE, TWO = packed(["a", "b"], [b"\n1\n", b""]), packed(["c"], [b"\x003"])


def test_a_shard_gives_back_its_records() -> None:
    assert unpacked(ONE) == {"a": b"\n1\n", "b": b""}
    assert unpacked(packed([], [])) == {}


@pytest.mark.parametrize("records", [[b"1"], [b"1", b"2", b"3"]])
def test_each_name_has_one_record(records: list[bytes]) -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        packed(["a", "b"], records)


def test_no_flipped_bit_and_no_cut_gives_a_record() -> None:
    for place in range(len(ONE)):
        damaged = ONE[:place] + bytes([ONE[place] ^ 4]) + ONE[place + 1 :]
        for shard in (damaged, ONE[:place]):
            with pytest.raises(ValueError, match="not those that were written"):
                unpacked(shard)


def test_what_is_present_is_whole_and_wanted(tmp_path: Path) -> None:
    files = ShardFiles(tmp_path)
    one, two, three = (files.write(s) for s in (ONE, TWO, packed(["x"], [b"9"])))
    assert one and two and three
    two.write_bytes(TWO[:-1])
    assert files.present(["a", "c", "d"]) == {"a": one}
    assert list(tmp_path.iterdir()) == [one], "damaged and unwanted files are removed"


def test_a_file_stays_until_the_one_after_it_is_passed_on(tmp_path: Path) -> None:
    files = ShardFiles(tmp_path)
    one, two = files.write(ONE), files.write(TWO)
    assert one and two
    files.passed_on(one)
    assert one.exists()
    files.passed_on(two)
    assert not one.exists() and two.exists()
    files.all_passed_on()
    assert not two.exists()


def test_without_a_folder_nothing_is_kept() -> None:
    files = ShardFiles(None)
    assert files.write(ONE) is None
    assert files.present(["a"]) == {}
