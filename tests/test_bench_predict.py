"""bench.predict runs on a small network, and its table is made from its results."""

import json
from pathlib import Path

import pytest
from bench import predict
from bench.tables import filled
from click.testing import CliRunner

from tests.saved_networks import save_networks


def test_both_ways_are_timed_for_each_kind_of_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.setattr(predict, "KINDS", {"48 x 40 px": (48, 40), "90 x 60 px": (90, 60)})
    save_networks(tmp_path)
    words = [str(tmp_path / "net.safetensors"), "--n", "3", "--rounds", "1"]
    done = CliRunner().invoke(predict.main, [*words, "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "predict.json").read_text())
    assert [row["files"] for row in found["predict"]] == ["48 x 40 px", "90 x 60 px"]
    assert all(row[way] > 0 for row in found["predict"] for way in ("network", "predict"))
    found["predict"][0] |= {"network": 200.0, "predict": 150.0}
    (tmp_path / "predict.json").write_text(json.dumps(found))
    page = filled("<!-- bench: predict -->\n<!-- /bench -->", tmp_path)
    assert "| 48 x 40 px | 200 | 150 | 0.75 |" in page
