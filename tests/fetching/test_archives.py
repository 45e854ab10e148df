"""Archives that are what they should be, and archives that are attacks."""

import io
import os
import stat
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headstart.fetching import archives
from headstart.fetching.archives import unpack
from headstart.fetching.image_sources import ArchiveImages
from headstart.project.located import SourceError

SET = {
    "set/train/a/1.jpg": b"one",
    "set/train/b/2.jpg": b"two!",
    "set/labels.csv": b"id\n",
    "set/test1/9.jpg": b"nine",
    "set/models/m.h5": b"\0" * 1000,
    "README": b"read me",
}
FORMS = ["p.zip", "p.tar", "p.tgz", "p.tar.gz"]
all_forms = pytest.mark.parametrize("name", FORMS)


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
        return path
    return tarred(path, [(plain(name, len(data)), data) for name, data in files.items()])


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if data else None)
    return path


def plain(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, to
    return info


def source(**keys: Any) -> ArchiveImages:
    one = {"url": "https://host/p.zip", "n_bytes": 1000, "md5": "0" * 32}
    return ArchiveImages.model_validate({"kind": "archives", "archives": [one]} | keys)


def unpacked(*paths: Path, **keys: Any) -> dict[str, bytes]:
    folder = paths[0].parent / "out"
    folder.mkdir()
    positions = list(unpack(paths, folder, source(**keys)))
    assert positions == sorted(positions)
    assert positions[-1] <= sum(path.stat().st_size for path in paths)
    found = [path for path in folder.rglob("*") if not path.is_dir()]
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in found)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def refused(path: Path, sentence: str, **keys: Any) -> None:
    """The archive stops with the sentence, and nothing is outside of the folder that was not."""
    before = set(path.parent.iterdir())
    with pytest.raises(SourceError, match=sentence):
        unpacked(path, **keys)
    assert set(path.parent.iterdir()) == before | {path.parent / "out"}


@all_forms
def test_an_archive_is_unpacked_as_it_is(tmp_path: Path, name: str) -> None:
    assert unpacked(packed(tmp_path / name, SET)) == SET


@all_forms
def test_root_and_keep_choose(tmp_path: Path, name: str) -> None:
    found = unpacked(packed(tmp_path / name, SET), root="set", keep=["train", "labels.csv"])
    assert found == {"train/a/1.jpg": b"one", "train/b/2.jpg": b"two!", "labels.csv": b"id\n"}


def test_several_archives_make_one_folder(tmp_path: Path) -> None:
    one = packed(tmp_path / "one.zip", {"train/1.jpg": b"1"})
    two = packed(tmp_path / "two.tgz", {"./test/2.jpg": b"2"})
    assert unpacked(one, two, keep=["train", "test"]) == {"train/1.jpg": b"1", "test/2.jpg": b"2"}


@all_forms
def test_what_is_not_there_is_told_with_what_is(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, SET)
    refused(path, r"no file at all below sets; at the top: README, set\. Correct", root="sets")
    (tmp_path / "out").rmdir()
    refused(path, r"no file valid below set; at", root="set", keep=["train", "valid"])


@all_forms
def test_an_empty_archive(tmp_path: Path, name: str) -> None:
    refused(packed(tmp_path / name, {}), "no file at all; at the top: nothing")


@all_forms
@pytest.mark.parametrize(
    "evil", ["../evil.jpg", "a/../../evil.jpg", "/tmp/evil.jpg", "a\\..\\evil.jpg", "C:/evil.jpg"]
)
def test_no_path_leads_out(tmp_path: Path, name: str, evil: str) -> None:
    path = packed(tmp_path / name, {"a.jpg": b"a", evil: b"e"})
    refused(path, r"p\.\S+ holds '.*evil\.jpg'; a path must be relative")
    assert not Path("/tmp/evil.jpg").exists()


@all_forms
def test_no_file_is_written_twice(tmp_path: Path, name: str) -> None:
    for i, twice in enumerate(("a/1.jpg", "a", "a/1.jpg/2.jpg")):
        folder = tmp_path / str(i)
        folder.mkdir()
        files = [("a/1.jpg", b"1"), (twice, b"2")]
        if name.endswith(".zip"):
            with zipfile.ZipFile(folder / name, "w") as zipped, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the name that comes twice
                for file, data in files:
                    zipped.writestr(file, data)
        else:
            tarred(folder / name, [(plain(file, 1), data) for file, data in files])
        refused(folder / name, f"holds '{twice}', whose path another file already takes")


@pytest.mark.parametrize(
    ("kind", "to"),
    [(tarfile.SYMTYPE, "/etc"), (tarfile.SYMTYPE, "a.jpg"), (tarfile.LNKTYPE, "a.jpg"),
     (tarfile.CHRTYPE, ""), (tarfile.BLKTYPE, ""), (tarfile.FIFOTYPE, "")],
)  # fmt: skip
def test_no_link_and_no_device(tmp_path: Path, kind: bytes, to: str) -> None:
    members = [(plain("a.jpg", 1), b"a"), (plain("set/x", 0, kind, to), b"")]
    path = tarred(tmp_path / "p.tgz", members)
    refused(path, "holds 'set/x', a link or device; only files and folders are")
    (tmp_path / "out" / "a.jpg").unlink()
    (tmp_path / "out").rmdir()
    assert unpacked(path, keep=["a.jpg"]) == {"a.jpg": b"a"}  # what is not kept is not written


def test_no_link_in_a_zip_and_no_file_through_it(tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        info = zipfile.ZipInfo("way")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(info, str(tmp_path))
        zipped.writestr("way/evil.jpg", b"e")
    refused(path, "holds 'way', a link or device")


def zipped_as(path: Path, raw: bytes) -> Path:
    """A zip with a file whose name has these bytes and no flag of UTF-8, and one with the flag."""
    packed(path, {"-" * len(raw): b"one", "犬/2.jpg": b"two"})
    path.write_bytes(path.read_bytes().replace(b"-" * len(raw), raw))
    return path


@pytest.mark.parametrize(
    ("raw", "name", "is_told"),
    [
        ("кот/1.jpg".encode(), "кот/1.jpg", False),  # as macOS writes it
        ("é/1.jpg".encode("cp437"), "é/1.jpg", True),
        ("ねこ/1.jpg".encode("cp932"), "é╦é▒/1.jpg", True),
    ],
)
def test_names_whose_encoding_a_zip_does_not_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, name: str, is_told: bool
) -> None:
    assert unpacked(zipped_as(tmp_path / "p.zip", raw)) == {name: b"one", "犬/2.jpg": b"two"}
    told = capsys.readouterr().err
    assert told.startswith("p.zip does not tell the encoding of 1 names") == is_told
    assert (f"such as {name!r}. If that is wrong, unpack it" in told) == is_told


def test_the_remedy_for_names_in_japanese_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpacked(zipped_as(tmp_path / "p.zip", "ねこ/1.jpg".encode("cp932")))
    remedy = capsys.readouterr().err.partition("(for Japanese: python ")[2].partition(").")[0]
    subprocess.run([sys.executable, *remedy.split()], cwd=tmp_path, check=True)
    assert (tmp_path / "FOLDER/ねこ/1.jpg").read_bytes() == b"one"


@all_forms
def test_a_bomb_of_bytes(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, {"a.bmp": b"\0" * 20_000})
    refused(path, r"unpacks to more than 10000 bytes: .*max_unpacked_bytes in the file under sourc")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "out").rmdir()
    assert len(unpacked(path, max_unpacked_bytes=20_000)["a.bmp"]) == 20_000


@all_forms
def test_what_is_not_kept_counts(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, {"a.jpg": b"a", "big": b"\0" * 20_000})
    refused(path, "unpacks to more than 10000 bytes", keep=["a.jpg"])


@all_forms
def test_a_bomb_of_files(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, {f"{i}.jpg": b"" for i in range(5)})
    refused(
        path, "unpacks to more than 4 files: .* if you trust it, raise max_files in", max_files=4
    )


def test_a_bomb_in_a_header(tmp_path: Path) -> None:
    """A note of 40 MB on one file, which a reader would take into memory."""
    note = plain("note", 40_000_000, tarfile.XHDTYPE)
    path = tarred(tmp_path / "p.tgz", [(note, b"\0" * note.size), (plain("a.jpg", 1), b"a")])
    assert path.stat().st_size < 100_000
    refused(path, "far more than the limits .* it may be a decompression bomb", max_files=1)


def test_a_zip_that_lies_about_a_size(tmp_path: Path) -> None:
    path = packed(tmp_path / "p.zip", {"a.jpg": b"x" * 500})
    data = path.read_bytes()
    size = (500).to_bytes(4, "little")
    assert data.count(size) >= 2
    path.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    refused(path, "cannot be unpacked: |bytes that the archive states")


@all_forms
def test_what_is_no_archive(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>please log in</html>" * 40)
    refused(tmp_path / name, r"p\.\S+ cannot be unpacked: ")


@pytest.mark.parametrize("name", ["p.tar", "p.tgz", "p.zip"])
def test_a_damaged_archive(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, {"a.jpg": os.urandom(5000)})
    path.write_bytes(path.read_bytes()[:2000])
    refused(path, r"p\.\S+ cannot be unpacked: ")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "p.zip", SET)
    monkeypatch.setattr(archives, "n_free_bytes", lambda _: 3)
    refused(path, "the disk is full at 'set/train/b/2.jpg', which needs 4 bytes; 3 are free in")
