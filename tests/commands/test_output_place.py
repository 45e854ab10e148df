"""Where an output goes whose path is a link, a pipe, a device or stdout."""

import errno
import os
import threading
from pathlib import Path

import pytest

from headstart.commands.output_place import is_stream, output_place
from headstart.project.errors import HeadstartError


def write(path: Path, text: str) -> None:
    with output_place(path) as partial:
        partial.write_text(text)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "runs").mkdir()
    if exists:
        (tmp_path / "runs/1.csv").write_text("earlier")
    link = tmp_path / "latest.csv"
    link.symlink_to("runs/1.csv")
    write(link, "new")
    assert link.is_symlink() and (tmp_path / "runs/1.csv").read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["1.csv", "latest.csv", "runs"]


@pytest.mark.parametrize("breaks", [False, True])
def test_a_pipe_stays_and_gets_the_bytes_of_a_whole_output(tmp_path: Path, breaks: bool) -> None:
    pipe, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    if breaks:
        with pytest.raises(MemoryError), output_place(pipe) as partial:
            partial.write_text("a part")
            raise MemoryError
    else:
        write(pipe, "all")
    reader.join(20)
    assert got == [b"" if breaks else b"all"]
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


@pytest.mark.skipif(os.getsid(0) == os.getpid(), reason="the device would end the tests with it")
def test_a_device_stays_and_gets_the_bytes() -> None:
    master, slave = os.openpty()
    try:
        device = Path(os.ttyname(slave))
        assert is_stream(device)
        write(device, "all")
        assert os.read(master, 99) == b"all" and device.is_char_device()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_stdout_in_a_file_goes_on_behind_what_it_holds(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    number = {"stdout": 1, "stderr": 2}[name]
    os.write(number, b"before, ")
    write(Path(f"/dev/{name}"), "written, ")
    os.write(number, b"after")
    assert getattr(capfd.readouterr(), name[3:]) == "before, written, after"


def test_a_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "sda")
    monkeypatch.setattr("stat.S_ISBLK", lambda mode: True)
    with pytest.raises(HeadstartError, match="sda is a disk, which would be overwritten: name a"):
        write(tmp_path / "sda", "no")


def test_a_write_that_fails_names_the_output(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left on device: '/dev/stdout'"):
        write(Path("/dev/stdout"), "all")
