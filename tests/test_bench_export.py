"""The table of bench.export."""

from bench.tables import _table_of

ROW = {"megabytes": 18.94, "ms": 10.24, "score": 0.9475, "max_dp": 9.5e-6}
FOUND = {
    "name": "export", "architecture": "net", "size_px": 240, "score": "accuracy", "n_valid": 400,
    "when": "2026-11-27", "command": "python -m bench.export",
    "machine": {"cores": 2, "chip": "a chip", "torch": "2.13"},
    "export": [{"form": "headstart", **ROW}, {"form": "onnx, int8", **ROW, "megabytes": 5.3}],
}  # fmt: skip


def test_the_table_has_a_row_a_form() -> None:
    head, _, ours, int8, _, about = _table_of(FOUND).splitlines()
    assert "accuracy of valid" in head
    assert ours == "| headstart | 18.9 | 10.2 | 0.9475 | 9.5e-06 |"
    assert int8.startswith("| onnx, int8 | 5.3 |")
    assert "400 pictures of valid" in about and about.endswith("`python -m bench.export`")
