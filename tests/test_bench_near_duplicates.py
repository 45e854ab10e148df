"""`bench.near_duplicates` plants copies, and counts what is found."""

from pathlib import Path

from bench.near_duplicates import main
from click.testing import CliRunner

from tests.scenes import encoded, scene


def test_planted_copies_are_counted(tmp_path: Path) -> None:
    for i in range(10):
        (tmp_path / f"{i}.jpg").write_bytes(encoded(scene(i)))
    (tmp_path / "again.jpg").write_bytes(encoded(scene(3), quality=50))
    (tmp_path / "notes.txt").write_text("no picture")
    result = CliRunner().invoke(main, [str(tmp_path)], catch_exceptions=False)
    header, _, row = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in result.output.splitlines()
    )
    said = dict(zip(header, row, strict=True))
    assert (said["set"], said["pictures"], said["other"]) == (tmp_path.name, "11", "1")
    assert said["JPEG 20"] == said["half"] == said["mirrored"] == said["85 % anywhere"] == "1.000"


def test_the_time_of_a_search_is_told() -> None:
    result = CliRunner().invoke(main, ["--signatures", "500"], catch_exceptions=False)
    assert "50 of 50 copies, 0 other pairs" in result.output
