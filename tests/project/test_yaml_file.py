"""YAML that people write, and the sentence for each common mistake."""

from pathlib import Path

import pytest

from headstart.project.yaml_file import YamlFileError, read_yaml


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a:\n\tb: 1\n", "is not valid YAML: line 2 begins with a tab; YAML is indented"),
        (b"a:\n  b: 1\n  b: 2\n", "is not valid YAML: line 3 has the key b a second time;"),
        (b"a: 1\n\na: 2\n", "is not valid YAML: line 3 has the key a a second time;"),
        ("a: 1\nb: é\n".encode("latin-1"), "is not UTF-8 (byte 0xe9 in line 2): save it as UTF-8."),
        ("a: 1\n".encode("utf-16"), "is not UTF-8 (byte 0xff in line 1): save it as UTF-8."),
        (b"a: 1\nb: [1,\n", "is not valid YAML: line 3: while parsing a flow node, "),
        (b"a: b: c\n", "is not valid YAML: line 1: mapping values are not allowed here."),
        (b"a: 1\nb: \x07\n", "is not valid YAML: line 2 holds the control character '\\x07'."),
        (b"a: 2026-13-41\n", "is not valid YAML: month must be in 1..12."),
        (b"a: " + b"[" * 9999, "is not valid YAML: maximum recursion depth exceeded"),
        (b"--- 1\n--- 2\n", "is not valid YAML: line 2: expected a single document"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(YamlFileError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path} {sentence}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa: 1e-05\n", b"a: 1e-05\r\nb: no\r\n"])
def test_files_of_other_systems_are_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert read_yaml(path)["a"] == 1e-05


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(YamlFileError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_a_missing_file_is_the_callers_to_tell(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none.yaml")
