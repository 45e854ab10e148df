"""Reads YAML files that people write, and says in one sentence what is wrong with one."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from headstart.project.errors import HeadstartError
from headstart.project.short import cut, first_line

MAX_BYTES = 1_000_000
MAX_VALUES = 100_000


class YamlFileError(HeadstartError):
    """A file cannot be read as YAML."""


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        FileNotFoundError: there is no such file.
        YamlFileError: as `read_bytes` and `parse_yaml`.
    """
    return parse_yaml(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """All bytes of the file.

    Raises:
        FileNotFoundError: there is no such file.
        YamlFileError: the path exists but cannot be read as a file (it is a folder, say), or is too
            large for what a person writes.
    """
    try:
        about = path.stat()
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            raise YamlFileError(f"{path} is a pipe or a device: write the text into a file.")
        if about.st_size > MAX_BYTES:
            raise YamlFileError(
                f"{path} has {about.st_size} bytes, but at most {MAX_BYTES} are read: shorten it."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise YamlFileError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        if isinstance(error, YamlFileError):
            raise
        raise YamlFileError(f"{str(path)!r} cannot be read: {error}.") from None


def parse_yaml(data: bytes, path: Path) -> Any:
    """The content of a YAML file, by the rules of YAML 1.2 (so 1e-05 is a number).

    Args:
        data: the whole file.
        path: of the file, for the message.

    Raises:
        YamlFileError: the file is not UTF-8, or not YAML; the message names the line.
    """
    try:
        text = data.decode()
        values = YAML(typ="safe", pure=True).load(text)
        _require_plain(values, path)
        return values
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise YamlFileError(
            f"{path} is not UTF-8 (byte 0x{byte:02x} in line {line}): save it as UTF-8."
        ) from None
    except YamlFileError:
        raise
    except Exception as error:  # beside its own errors, ruamel has an IndexError, a TypeError, ...
        raise YamlFileError(f"{path} is not valid YAML: {_reason(error, data.decode())}.") from None


def _require_plain(values: Any, path: Path) -> None:
    """Refuse aliases that make few lines endless, and numbers that no computer counts with.

    Raises:
        YamlFileError: there are more than MAX_VALUES, or a whole number has more than 64 bits.
    """
    waiting, n = [values], 0
    while waiting:
        value, n = waiting.pop(), n + 1
        if n > MAX_VALUES:
            raise YamlFileError(
                f"{path} holds more than {MAX_VALUES} values once its aliases (*) are followed: write "
                "them out."
            )
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise YamlFileError(
                f"{path} holds a whole number of {value.bit_length()} bits, but at most 63 are allowed."
            )


def _reason(error: Exception, text: str) -> str:
    """What is wrong, and in which line."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"line {line} holds the control character {text[error.position]!r}"
    if not isinstance(error, MarkedYAMLError):  # a date such as 2026-13-01, a list in 1000 lists
        return first_line(error)
    problem, mark = str(error.problem), error.problem_mark
    where = f"line {mark.line + 1}" if mark else "somewhere"
    if "'\\t'" in problem:
        return f"{where} begins with a tab; YAML is indented with spaces"
    if twice := re.match(r'found duplicate key "(.*?)" with value', problem):
        return f"{where} has the key {cut(twice[1])} a second time; keep one of the two"
    said = ", ".join(filter(None, (error.context, problem)))
    return f"{where}: {cut(' '.join(said.split()))}"
