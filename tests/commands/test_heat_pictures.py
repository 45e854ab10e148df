"""`headstart predict --explain`: a JPEG a picture, and no file of the user's lost."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from headstart.commands.cli import main
from headstart.commands.heat_pictures import is_heat_map, places
from tests.small_networks import picture


def headstart(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def written(folder: str) -> list[str]:
    below = Path(folder)
    return sorted(p.relative_to(below).as_posix() for p in below.rglob("*") if p.is_file())


def test_each_picture_has_its_heat_map_and_the_predictions_stay(files: list[str]) -> None:
    plain = headstart("predict", "net.safetensors", *files)
    result = headstart("predict", "net.safetensors", *files, "--explain", "new/heat")
    assert result.exit_code == 0, result.output
    assert result.stdout == plain.stdout
    assert result.stderr.startswith("new/heat: 4 heat maps")
    assert written("new/heat") == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    for number in range(4):
        with Image.open(f"new/heat/{number}.jpg") as shown:
            assert (shown.format, shown.size, shown.mode) == ("JPEG", (48, 40), "RGB")
            pixels = np.asarray(shown, int)
        # the network sees the square in the middle; the rest is at half its brightness
        original = np.asarray(picture(number), int)
        assert np.abs(pixels[:, :2] - original[:, :2] / 2).mean() < 12
        assert is_heat_map(Path(f"new/heat/{number}.jpg"))


def test_with_several_labels_each_has_a_file(files: list[str]) -> None:
    result = headstart("predict", "many.safetensors", *files, "--explain", "heat")
    rows = [row.split(",") for row in result.stdout.splitlines()[1:]]
    expected = [
        f"{Path(name).stem}.{label}.jpg" for name, labels, *_ in rows for label in labels.split()
    ]
    assert len(expected) >= 4 and written("heat") == sorted(expected)
    assert f"heat: {len(expected)} heat maps" in result.stderr


def test_a_large_picture_is_written_at_the_size_of_a_screen(files: list[str]) -> None:
    picture(1).resize((3000, 1500)).save("large.jpg")
    headstart("predict", "net.safetensors", "large.jpg", "--explain", "heat")
    with Image.open("heat/large.jpg") as shown:
        assert shown.size == (1024, 512)


def test_archives_and_broken_files_and_pictures_named_twice(files: list[str]) -> None:
    with zipfile.ZipFile("more.zip", "w") as archive:
        archive.write("0.png", "deep/a.png")
        archive.write("1.png", "b.png")
    Path("bad.png").write_bytes(b"no picture")
    result = headstart(
        "predict", "net.safetensors", "more.zip", "bad.png", "2.png", "2.png", "--explain", "heat"
    )
    assert result.exit_code == 1
    assert written("heat") == ["2.jpg", "a.jpg", "b.jpg"]
    lines = result.stderr.splitlines()
    assert lines[0].startswith("bad.png cannot be read") and "heat: 3 heat maps" in lines[1]


def test_only_the_unsure_ones_are_written_if_only_they_are_shown(files: list[str]) -> None:
    rows = headstart("predict", "net.safetensors", *files).stdout.splitlines()[1:]
    largest = sorted(max(map(float, row.split(",")[2:])) for row in rows)
    below = str((largest[1] + largest[2]) / 2)
    headstart("predict", "net.safetensors", *files, "--explain", "heat", "--unsure", below)
    assert len(written("heat")) == 2


def test_no_file_of_the_users_is_overwritten_and_a_second_call_replaces_the_first(
    files: list[str],
) -> None:
    Path("holiday").mkdir()
    picture(5).save("holiday/5.jpg")
    shutil.copy("0.png", "holiday/6.png")
    Path("holiday/6-heat.jpg").write_bytes(b"notes")
    kept = {name: Path("holiday", name).read_bytes() for name in written("holiday")}
    for _ in range(2):  # its own heat maps are no pictures to predict
        result = headstart("predict", "net.safetensors", "holiday", "--explain", "holiday")
        assert [row.split(",")[0] for row in result.stdout.splitlines()[1:]] == [
            "holiday/5.jpg",
            "holiday/6.png",
        ], result.output
        assert written("holiday") == ["5-heat.jpg", "5.jpg", "6-heat.jpg", "6.jpg", "6.png"]
        assert {name: Path("holiday", name).read_bytes() for name in kept} == kept


def test_a_folder_that_cannot_be_made_is_a_sentence(files: list[str]) -> None:
    result = headstart("predict", "net.safetensors", *files, "--explain", "0.png/heat")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: 0.png/heat cannot be made: Not a directory."


def test_names_keep_what_tells_them_apart() -> None:
    assert places(["x/a.jpg", "y/b.png"]) == ["a", "b"]
    assert places(["x/a.jpg", "y/a.jpg", "y/b.jpg"]) == ["x/a", "y/a", "y/b"]
    assert places(["x/a.jpg", "x/a.png", "y/b.jpg"]) == ["x/a.jpg", "x/a.png", "y/b.jpg"]
    assert places(["x/a.jpg", "x/A.png"]) == ["a.jpg", "A.png"]
    assert places(["x/../y/a.jpg", "x/a.jpg"]) == ["y/a", "x/a"]
    assert places(["x/a.jpg", "x/a.jpg"]) == ["a", "a"]
    assert places(["/p/q/a.v1.jpg", "/p/r/a.v1.jpg"]) == ["q/a.v1", "r/a.v1"]
    assert places([]) == []
