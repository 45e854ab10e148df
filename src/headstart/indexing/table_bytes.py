"""Turns the bytes of a table into text, and refuses files that are no text, whatever their name."""

from typing import NamedTuple

from headstart.project.errors import HeadstartError

_UTF_8_MARK, _UTF_16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")

_AS_CSV = "save its sheet as CSV (UTF-8) and name that file"
_NO_TEXT = (
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or another ZIP archive", _AS_CSV),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", _AS_CSV),
    (b"\x1f\x8b", "compressed by gzip", "unpack it"),
    (b"BZh", "compressed by bzip2", "unpack it"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it"),
    (b"%PDF", "a PDF", "write its table as CSV"),
    (b"<", "a web page or XML", "download the table itself"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the table by git lfs pull"),
)
"""How a file begins that is no table; what it is; what to do."""


class Text(NamedTuple):
    """The text of a file, and sentences for the user on how it was read."""

    text: str
    notes: tuple[str, ...]


def text_of(data: bytes, name: str) -> Text:
    """Decode UTF-8, with or without its mark, UTF-16 with its mark, or else Windows-1252.

    Args:
        data: the whole file.
        name: of the file, for sentences.

    Raises:
        HeadstartError: the file is a workbook, a web page, compressed, or in no known encoding.
    """
    data = data.removeprefix(_UTF_8_MARK)
    for magic, what, remedy in _NO_TEXT:
        if data.lstrip().startswith(magic):
            raise HeadstartError(f"{name} is {what}, not a table as text: {remedy}.")
    notes: tuple[str, ...] = ()
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16_MARKS) else "utf-8")
    except UnicodeDecodeError as error:
        if error.encoding.startswith("utf-16"):
            raise HeadstartError(
                f"{name} begins as UTF-16, but is damaged from byte {error.start} on: save it as UTF-8."
            ) from None
        text = _windows_1252(data, name)
        number = _unix(text[: error.start]).count("\n")  # one byte is one character here
        line = _unix(text).split("\n")[number]
        notes = (
            f"{name} is not UTF-8, so it was read as Windows-1252 (its line {number + 1} reads "
            f"{line!r}); if that is wrong, save it as UTF-8.",
        )
    if "\0" in text:
        raise HeadstartError(
            f"{name} holds zero bytes, so it is no text, or UTF-16 without its mark: save the table "
            "as CSV (UTF-8)."
        )
    return Text(text, notes)


def _windows_1252(data: bytes, name: str) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise HeadstartError(
            f"{name} is neither UTF-8 nor Windows-1252 (byte {error.start} is "
            f"0x{data[error.start]:02x}): save it as UTF-8."
        ) from None


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
