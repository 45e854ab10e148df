"""Reads YAML files that people write, and says in one sentence what is wrong with one."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from headstart.project.errors import HeadstartError


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
        YamlFileError: the path exists but cannot be read as a file (it is a folder, say).
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise YamlFileError(f"{path} cannot be read: {error.strerror}.") from None


def parse_yaml(data: bytes, path: Path) -> Any:
    """The content of a YAML file, by the rules of YAML 1.2 (so 1e-05 is a number).

    Args:
        data: the whole file.
        path: of the file, for the message.

    Raises:
        YamlFileError: the file is not UTF-8, or not YAML; the message names the line.
    """
    try:
        return YAML(typ="safe", pure=True).load(data.decode())
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise YamlFileError(
            f"{path} is not UTF-8 (byte 0x{byte:02x} in line {line}): save it as UTF-8."
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise YamlFileError(f"{path} is not valid YAML: {_reason(error, data.decode())}.") from None


def _reason(error: Exception, text: str) -> str:
    """What is wrong, and in which line."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"line {line} holds the control character {text[error.position]!r}"
    if not isinstance(error, MarkedYAMLError):  # a date such as 2026-13-01, a list in 1000 lists
        return next(iter(str(error).splitlines()), type(error).__name__)
    problem, mark = str(error.problem), error.problem_mark
    where = f"line {mark.line + 1}" if mark else "somewhere"
    if "'\\t'" in problem:
        return f"{where} begins with a tab; YAML is indented with spaces"
    if twice := re.match(r'found duplicate key "(.*?)" with value', problem):
        return f"{where} has the key {twice[1]} a second time; keep one of the two"
    return f"{where}: {', '.join(filter(None, (error.context, problem)))}"
