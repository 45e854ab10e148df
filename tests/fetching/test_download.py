"""Downloads from a server on localhost that fails in all the ways servers do."""

import errno
import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headstart.fetching import download as module
from headstart.fetching.download import N_TRIES, download
from headstart.fetching.image_sources import Archive
from headstart.project.located import SourceError
from tests.server import Cut, Site, serve

CONTENT = random.Random(0).randbytes(1_500_000)
HALF = 700_000


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(module, "WAIT_S", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as site:
        site.files["/p.zip"] = CONTENT
        yield site


def archive(site: Site, **changed: Any) -> Archive:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    said = {"url": f"{site.url}/p.zip", "n_bytes": len(CONTENT), "sha256": sha256}
    return Archive.model_validate(said | changed)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "p.zip"


def files(target: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in target.parent.iterdir()}


def begun(target: Path, n_bytes: int = HALF) -> None:
    (target.parent / "p.zip.part").write_bytes(CONTENT[:n_bytes])


def test_a_complete_download(site: Site, target: Path) -> None:
    positions = list(download(archive(site), target))
    assert target.read_bytes() == CONTENT and files(target) == {"p.zip": len(CONTENT)}
    assert positions == sorted(positions) and positions[-1] == len(CONTENT)
    assert site.asked == [("/p.zip", None)]


def test_an_md5_will_do(site: Site, target: Path) -> None:
    md5 = hashlib.md5(CONTENT).hexdigest()
    list(download(archive(site, sha256=None, md5=md5), target))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("tells_size", [True, False])
def test_broken_off_and_resumed_in_one_run(site: Site, target: Path, tells_size: bool) -> None:
    site.tells_size = tells_size
    site.plan = [Cut(HALF), Cut(100_000)]
    list(download(archive(site), target))
    assert target.read_bytes() == CONTENT
    assert site.asked[0] == ("/p.zip", None) and len(site.asked) == 3
    starts = [int(str(wanted)[6:-1]) for _, wanted in site.asked[1:]]
    assert 0 < starts[0] <= HALF and starts[0] < starts[1] <= starts[0] + 100_000


def test_broken_off_and_resumed_by_another_run(site: Site, target: Path) -> None:
    begun(target)
    positions = list(download(archive(site), target))
    assert target.read_bytes() == CONTENT
    assert site.asked == [("/p.zip", f"bytes={HALF}-")]  # only what was missing
    assert positions[0] > HALF


def test_what_was_fetched_whole_is_not_asked_for_again(site: Site, target: Path) -> None:
    begun(target, len(CONTENT))
    assert list(download(archive(site), target)) == []
    assert target.read_bytes() == CONTENT and site.asked == []


def test_a_server_without_ranges_begins_anew(site: Site, target: Path) -> None:
    site.resumes = False
    begun(target)
    site.plan = [Cut(HALF), None]
    positions = list(download(archive(site), target))
    assert target.read_bytes() == CONTENT
    assert positions != sorted(positions)


def test_a_server_without_ranges_that_always_breaks_is_given_up(site: Site, target: Path) -> None:
    site.resumes = False
    site.plan = [Cut(HALF)] * 20
    with pytest.raises(SourceError, match=rf"in {N_TRIES} tries: .* is kept; run again to resume"):
        list(download(archive(site), target))
    assert len(site.asked) == N_TRIES
    assert "p.zip" not in files(target)


def test_a_wrong_checksum_leaves_nothing(site: Site, target: Path) -> None:
    with pytest.raises(SourceError) as error:
        list(download(archive(site, sha256="0" * 64), target))
    assert str(error.value).startswith(f"{site.url}/p.zip: its sha256 is ")
    assert f"the file under sources/ says {'0' * 64}." in str(error.value)
    assert files(target) == {}


def test_a_part_of_another_file_does_not_stick(site: Site, target: Path) -> None:
    (target.parent / "p.zip.part").write_bytes(b"x" * HALF)
    with pytest.raises(SourceError, match="its sha256 is"):
        list(download(archive(site), target))
    list(download(archive(site), target))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("n_bytes", [len(CONTENT) - 1, len(CONTENT) + 1])
@pytest.mark.parametrize("n_begun", [0, HALF])
def test_a_wrong_size_is_told_before_the_body(
    site: Site, target: Path, n_bytes: int, n_begun: int
) -> None:
    if n_begun:
        begun(target)
    sentence = rf"it has {len(CONTENT)} bytes, but n_bytes .* is {n_bytes};"
    with pytest.raises(SourceError, match=sentence):
        list(download(archive(site, n_bytes=n_bytes), target))
    assert files(target) == {} and len(site.asked) == 1


def test_a_wrong_size_that_nobody_told(site: Site, target: Path) -> None:
    site.tells_size = False
    with pytest.raises(SourceError, match="it has more than 1000 bytes, but n_bytes"):
        list(download(archive(site, n_bytes=1000), target))
    assert files(target) == {}


def test_a_file_that_is_shorter_than_what_is_there(site: Site, target: Path) -> None:
    site.files["/p.zip"] = CONTENT[:1000]
    begun(target)
    with pytest.raises(SourceError, match="it has 1000 bytes, but n_bytes"):
        list(download(archive(site), target))
    assert files(target) == {}


def test_a_redirect_is_followed_with_its_range(site: Site, target: Path) -> None:
    site.moved["/old.zip"] = f"{site.url}/p.zip"
    begun(target)
    list(download(archive(site, url=f"{site.url}/old.zip"), target))
    assert target.read_bytes() == CONTENT
    assert site.asked == [(path, f"bytes={HALF}-") for path in ("/old.zip", "/p.zip")]


def test_a_redirect_to_itself_ends(site: Site, target: Path) -> None:
    site.moved["/p.zip"] = f"{site.url}/p.zip"
    with pytest.raises(SourceError, match=r"p\.zip could not be fetched: Exceeded 30 redirects"):
        list(download(archive(site), target))


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_refusal_is_final(site: Site, target: Path, code: int) -> None:
    site.plan = [code]
    with pytest.raises(SourceError, match=rf"p\.zip: the server answered {code} \w+.*; check the"):
        list(download(archive(site), target))
    assert files(target) == {} and len(site.asked) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_failure_then_fine(site: Site, target: Path, code: int) -> None:
    site.plan = [code, code]
    list(download(archive(site), target))
    assert target.read_bytes() == CONTENT and len(site.asked) == 3


def test_failures_without_end(site: Site, target: Path) -> None:
    site.plan = [500] * 20
    with pytest.raises(SourceError, match="in 5 tries: the server answered 500 Internal"):
        list(download(archive(site), target))
    assert files(target) == {} and len(site.asked) == N_TRIES


def test_no_server(site: Site, target: Path) -> None:
    with pytest.raises(
        SourceError, match=r"http://127\.0\.0\.1:9/p\.zip could not be fetched in 5"
    ):
        list(download(archive(site, url="http://127.0.0.1:9/p.zip"), target))


class FullDisk:
    """A file that takes so many bytes and no more."""

    def __init__(self, file: Any, n_bytes: int) -> None:
        self.file, self.n_bytes = file, n_bytes

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, piece: bytes) -> None:
        self.file.write(piece[: self.n_bytes])
        if len(piece) > self.n_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.n_bytes -= len(piece)


def test_a_disk_that_fills_up_keeps_what_came(site: Site, target: Path) -> None:
    usual = Path.open
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", lambda *a: FullDisk(usual(*a), HALF))
        with pytest.raises(SourceError, match="the disk is full: 800000 of its 1500000 bytes are"):
            list(download(archive(site), target))
    assert files(target) == {"p.zip.part": HALF}
    list(download(archive(site), target))  # room was made
    assert target.read_bytes() == CONTENT
    assert site.asked[1:] == [("/p.zip", f"bytes={HALF}-")]


def test_too_little_room_is_told_before_anything_is_asked(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(target)
    monkeypatch.setattr(module, "n_free_bytes", lambda _: 799_999)
    with pytest.raises(SourceError, match=r"800000 of its 1500000 .* missing, and 799999 are free"):
        list(download(archive(site), target))
    assert site.asked == []


def test_killed_in_the_middle_leaves_nothing_under_the_name(site: Site, target: Path) -> None:
    site.plan = [Cut(HALF, hang=True)]
    code = (
        "import sys; from pathlib import Path; from headstart.fetching.download import download\n"
        "from headstart.fetching.image_sources import Archive\n"
        "list(download(Archive.model_validate_json(sys.argv[1]), Path(sys.argv[2])))"
    )
    words = [sys.executable, "-c", code, archive(site).model_dump_json(), str(target)]
    with subprocess.Popen(words) as process:
        end = time.monotonic() + 60
        while not sum(files(target).values()) and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    [(name, n_there)] = files(target).items()
    assert name == "p.zip.part" and 0 < n_there <= HALF
    site.released.set()
    list(download(archive(site), target))
    assert target.read_bytes() == CONTENT
    assert site.asked[1:] == [("/p.zip", f"bytes={n_there}-")]
