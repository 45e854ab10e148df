import pytest

from headstart.image_files.safe_names import MAX_BYTES, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("golden retriever", "golden retriever"), ("Bär", "Bär"), (" a ", "a"), ("a/b", "a_b"),
        ("..", "_.."), (".x", "_.x"), ("", "_"), ("\0", "_"), ("Thumbs.db", "_Thumbs.db"),
        ("a" * 121, "a" * MAX_BYTES), ("\ud800", "_"),
    ],
)  # fmt: skip
def test_a_name_for_any_text(text: str, name: str) -> None:
    assert safe_name(text) == name
