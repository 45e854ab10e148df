"""What is no file is refused before it is opened, which might never end."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.project.files import read_json
from headstart.project.seals import check_seal
from headstart.project.special_files import refuse_special


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)


@pytest.mark.parametrize("make", [os.mkfifo, bind, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("read", [refuse_special, check_seal, read_json])
def test_a_special_file_is_never_opened(
    make: Callable[[Path], None],
    read: Callable[[Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 107 bytes
    make(tmp_path / "special")
    with pytest.raises(OSError, match="it is a pipe, a socket or a device"):
        read(tmp_path / "special")


def test_files_folders_and_what_is_missing_pass(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path, tmp_path / "missing"):
        refuse_special(path)
