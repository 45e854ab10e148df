"""Predicting with a checkpoint alone."""

import csv
import io
import json
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import PIL
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from headstart.backbone.backbone import Backbone
from headstart.commands.cli import main
from headstart.network.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from tests.small_networks import PREPROCESSING, picture


def headstart(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def rows_of(result: Result) -> list[list[str]]:
    return list(csv.reader(io.StringIO(result.stdout)))


def rewritten(info: Mapping[str, object]) -> None:
    """Checkpoint other.safetensors: that of net with these values."""
    content = read_checkpoint(Path("net.safetensors"))
    write_checkpoint(
        Path("other.safetensors"),
        Checkpoint(info=content.info.model_copy(update=info), tensors=content.tensors),
    )


def test_predict_prints_a_row_a_picture(files: list[str]) -> None:
    result = headstart("predict", "net.safetensors", *files)
    assert result.exit_code == 0, result.output
    header, *rows = result.output.splitlines()
    assert header == "picture,class,cat,dog,eel"
    assert [row.split(",")[0] for row in rows] == files
    for row in rows:
        _, name, *probabilities = row.split(",")
        values = [float(p) for p in probabilities]
        assert sum(values) == pytest.approx(1, abs=2e-4)
        assert name == ("cat", "dog", "eel")[values.index(max(values))]


def test_predict_shows_the_network_what_training_showed_it(files: list[str]) -> None:
    small = picture(0).resize((32, 32), Image.Resampling.BILINEAR)
    small.save("small.png")
    whole, cut, by_hand = (
        headstart("predict", f"{name}.safetensors", file).output.splitlines()[1].split(",")[2:]
        for name, file in (("squashed", "0.png"), ("net", "0.png"), ("net", "small.png"))
    )
    assert whole == by_hand != cut


def test_an_ensemble_predicts_the_mean(files: list[str]) -> None:
    """Its second member is all but sure of a cat."""
    alone = headstart("predict", "net.safetensors", *files).output.splitlines()[1:]
    both = headstart("predict", "two.safetensors", *files).output.splitlines()[1:]
    for one, two in zip(alone, both, strict=True):
        _, _, cat, dog, _ = one.split(",")
        _, _, cat_of_two, dog_of_two, _ = two.split(",")
        assert float(cat_of_two) > 0.45 + float(cat) / 2
        assert float(dog_of_two) < 0.1 + float(dog) / 2


def test_predict_tells_every_label_that_reaches_its_threshold(files: list[str]) -> None:
    header, *rows = headstart("predict", "many.safetensors", *files).output.splitlines()
    assert header == "picture,labels,cat,dog,eel" and len(rows) == len(files)
    for row in rows:
        _, labels, *probabilities = row.split(",")
        assert labels == ("cat eel" if float(probabilities[2]) >= 0.5 else "cat")
    assert "holds no thresholds" in headstart("predict", "bare.safetensors", *files).output


def test_a_head_alone_and_a_foreign_file_are_refused(files: list[str]) -> None:
    assert (
        "holds a head without its backbone"
        in headstart("predict", "head.safetensors", *files).output
    )
    assert "no readable checkpoint" in headstart("predict", "0.png", *files).output


def test_files_that_cannot_be_read_are_named_and_the_others_predicted(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = headstart("predict", "net.safetensors", *files).stdout.splitlines()
    Path("notes.txt").write_text("no picture")
    Path("empty.png").write_bytes(b"")
    Path("photo").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    monkeypatch.setattr("headstart.pictures.plugins.plugin_versions", dict)
    Path("folder.jpg").mkdir()
    picture(9).save("cut.jpg")
    Path("cut.jpg").write_bytes(Path("cut.jpg").read_bytes()[:-200])
    picture(9).save("locked.png")
    read_bytes = Path.read_bytes

    def no_permission(path: Path) -> bytes:  # which root, who may run the tests, has
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", no_permission)
    bad = ["notes.txt", "empty.png", "photo", "folder.jpg", "cut.jpg", "missing.png", "locked.png"]
    result = headstart("predict", "net.safetensors", *bad[:4], *files[:2], *bad[4:], *files[2:])
    assert result.exit_code == 1
    assert result.stdout.splitlines() == whole
    *sentences, count = result.stderr.splitlines()
    assert count == "7 of 11 files were left out."
    for sentence, (file, why) in zip(
        sentences,
        {
            "notes.txt": "its bytes are no picture that Pillow knows",
            "empty.png": "the file is empty",
            "photo": "it is HEIC: pip install pillow-heif",
            "folder.jpg": "it holds no picture",
            "cut.jpg": "image file is truncated",
            "missing.png": "No such file or directory",
            "locked.png": "Permission denied",
        }.items(),
        strict=True,
    ):
        assert sentence.startswith(f"{file} cannot be read: {why}") and sentence.endswith(".")
    alone = headstart("predict", "net.safetensors", *bad)
    assert alone.exit_code == 1 and alone.stdout.splitlines() == whole[:1]


def test_more_files_than_a_batch_keep_their_order(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named twice has two rows, and a bad file takes no other row with it."""
    header, *rows = headstart("predict", "net.safetensors", *files).stdout.splitlines()
    monkeypatch.setattr("headstart.backbone.device.FORWARD_BATCH", 3)
    several = headstart("predict", "net.safetensors", *files, "none.png", files[3], *files)
    assert several.stdout.splitlines() == [header, *rows, rows[3], *rows]
    assert several.exit_code == 1 and several.stderr.startswith("none.png cannot be read: No such")


def test_another_pillow_is_told_in_a_line(files: list[str]) -> None:
    older = PREPROCESSING.model_copy(update={"pillow": "9.1"})
    rewritten({"preprocessing": older})
    result = headstart("predict", "other.safetensors", *files)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 5
    assert result.stderr.splitlines() == [
        "other.safetensors was scored on pictures made with Pillow 9.1, but Pillow "
        f"{PIL.__version__} is installed: probabilities may differ a little."
    ]


@pytest.mark.parametrize("has_units", [True, False])
def test_the_precision_is_that_of_the_scores_where_the_machine_has_it(
    files: list[str], monkeypatch: pytest.MonkeyPatch, has_units: bool
) -> None:
    monkeypatch.setattr("headstart.backbone.device._multiplies_bf16", lambda _: has_units)
    seen: list[str] = []
    forward = Backbone.forward

    def noted(backbone: Backbone, pictures: torch.Tensor) -> torch.Tensor:
        seen.append(backbone.compute.inference_precision)
        return forward(backbone, pictures)

    monkeypatch.setattr(Backbone, "forward", noted)
    assert headstart("predict", "net.safetensors", *files).stderr == ""
    rewritten({"precision": "bfloat16"})
    result = headstart("predict", "other.safetensors", *files)
    assert result.exit_code == 0
    assert seen == ["float32", "bfloat16" if has_units else "float32"]
    assert result.stderr == (
        ""
        if has_units
        else "other.safetensors was scored in bfloat16, but this device (cpu) has no hardware for it "
        "and predicts in float32: probabilities may differ a little.\n"
    )


def test_folders_lists_and_archives_name_pictures(files: list[str]) -> None:
    """By their content: a text called .csv is left out, a picture without a suffix is not."""
    Path("album/deep").mkdir(parents=True)
    shutil.copy(files[1], "album/deep/no suffix")
    shutil.copy(files[0], "album/a.png")
    Path("album/labels.csv").write_text("id,label")
    shutil.make_archive("packed", "zip", "album")
    shutil.make_archive("packed", "gztar", "album")
    listed = b"2.png\nalbum\r\n\n"
    result = headstart(
        "predict", "net.safetensors", "album", "packed.zip", "packed.tar.gz", "-", "3.png",
        stdin=listed,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    _, *rows = rows_of(result)
    below = ["a.png", "deep/no suffix"]
    folders = [
        f"{place}/{name}" for place in ("album", "packed.zip", "packed.tar.gz") for name in below
    ]
    assert [row[0] for row in rows] == [*folders, "2.png", *folders[:2], "3.png"]
    _, *alone = rows_of(headstart("predict", "net.safetensors", *files))
    expected = [alone[k][1:] for k in (0, 1, 0, 1, 0, 1, 2, 0, 1, 3)]
    assert [row[1:] for row in rows] == expected
    by_nul = headstart("predict", "net.safetensors", "-0", "-", stdin=b"1.png\x00new\nline.png\x00")
    assert [row[0] for row in rows_of(by_nul)[1:]] == ["1.png"]
    assert by_nul.stderr.startswith("new\nline.png cannot be read: No such file")


def test_a_broken_archive_and_a_broken_folder_are_named(files: list[str]) -> None:
    Path("broken.zip").write_text("no archive")
    Path("loose").mkdir()
    Path("loose/link.png").symlink_to("gone.png")
    result = headstart("predict", "net.safetensors", "broken.zip", "loose", files[0])
    assert result.exit_code == 1 and [row[0] for row in rows_of(result)[1:]] == files[:1]
    assert result.stderr.splitlines() == [
        "broken.zip cannot be read: File is not a zip file; pack or download it again.",
        "loose cannot be read: loose/link.png is a link to gone.png, which does not exist.",
        "2 of 3 files were left out.",
    ]


def test_a_terminal_shows_the_three_likeliest_classes(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = rows_of(headstart("predict", "net.safetensors", *files))[1:]
    several = rows_of(headstart("predict", "many.safetensors", *files))[1:]
    monkeypatch.setattr("headstart.commands.predict._on_terminal", lambda: True)
    head, *rows = headstart("predict", "net.safetensors", *files).stdout.splitlines()
    assert head.split() == ["picture", "1st", "2nd", "3rd"]
    for row, (name, decided, *values) in zip(rows, said, strict=True):
        assert row.split()[0] == name and row.split()[1] == decided
        shown = dict(zip(row.split()[1::2], map(float, row.split()[2::2]), strict=True))
        for label, value in zip(("cat", "dog", "eel"), values, strict=True):
            assert shown[label] == pytest.approx(float(value), abs=6e-4)
        assert list(shown.values()) == sorted(shown.values(), reverse=True)
    head, *rows = headstart("predict", "many.safetensors", *files).stdout.splitlines()
    assert head.split() == ["picture", "labels"]
    for row, (_, labels, *_values) in zip(rows, several, strict=True):
        assert set(row.split()[1::2]) == set(labels.split())


def test_json_holds_what_the_csv_holds(files: list[str]) -> None:
    for model, decided in (("net", "class"), ("many", "labels")):
        header, *rows = rows_of(headstart("predict", f"{model}.safetensors", *files))
        told = json.loads(headstart("predict", f"{model}.safetensors", *files, "--json").stdout)
        for one, row in zip(told, rows, strict=True):
            assert one["picture"] == row[0]
            assert one[decided] == (row[1] if decided == "class" else row[1].split())
            assert [f"{p:.4f}" for p in one["probabilities"].values()] == row[2:]
            assert list(one["probabilities"]) == header[2:]
    nothing = headstart("predict", "net.safetensors", "none.png", "--json")
    assert nothing.exit_code == 1 and json.loads(nothing.stdout) == []


def test_files_hold_what_stdout_would(files: list[str]) -> None:
    said = headstart("predict", "many.safetensors", *files).stdout
    result = headstart(
        "predict", "many.safetensors", *files, "--csv", "out/a.csv", "--parquet", "out/a.parquet"
    )
    assert result.exit_code == 0
    assert result.stdout == "out/a.csv: 4 pictures\nout/a.parquet: 4 pictures\n"
    assert Path("out/a.csv").read_text() == said
    table = pd.read_parquet("out/a.parquet")
    assert list(table.columns) == ["picture", "labels", "cat", "dog", "eel"]
    for row, of_csv in zip(
        table.itertuples(index=False), list(csv.reader(said.splitlines()))[1:], strict=True
    ):
        assert [row[0], " ".join(row[1]), *(f"{p:.4f}" for p in row[2:])] == of_csv
    assert headstart("predict", "many.safetensors", *files, "--csv", "-").stdout == said
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.csv", "a.parquet"]


def test_a_file_that_cannot_be_written_is_told_before_any_work(files: list[str]) -> None:
    Path("out").write_text("a file")
    result = headstart("predict", "net.safetensors", *files, "--parquet", "out/a.parquet")
    assert result.exit_code == 1 and "out/a.parquet cannot be written: " in result.stderr


def test_links_and_pipes_stay(files: list[str]) -> None:
    said = headstart("predict", "many.safetensors", *files).stdout
    Path("latest.parquet").symlink_to("1.parquet")
    os.mkfifo("pipe")
    got = list[str]()
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()), daemon=True)
    reader.start()
    result = headstart(
        "predict", "many.safetensors", *files, "--csv", "pipe", "--parquet", "latest.parquet"
    )
    assert (result.exit_code, result.stdout) == (0, "")
    reader.join(20)
    assert got == [said] and Path("pipe").is_fifo()
    assert Path("latest.parquet").is_symlink() and len(pd.read_parquet("1.parquet")) == 4


def test_a_broken_off_run_leaves_the_earlier_file_and_no_whole_list(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.csv").write_text("earlier")
    monkeypatch.setattr("headstart.backbone.device.FORWARD_BATCH", 2)
    forward = Backbone.forward
    n_passes: list[int] = []

    def broken(backbone: Backbone, pictures: torch.Tensor) -> torch.Tensor:
        n_passes.append(len(pictures))
        if len(n_passes) == 2:
            raise MemoryError
        return forward(backbone, pictures)

    monkeypatch.setattr(Backbone, "forward", broken)
    result = headstart("predict", "net.safetensors", *files, "--json", "--csv", "a.csv")
    assert isinstance(result.exception, MemoryError)
    assert Path("a.csv").read_text() == "earlier" and not list(Path().glob("*.partial"))
    assert len(result.stdout.splitlines()) == 3 and "]" not in result.stdout


def test_unsure_pictures_come_least_sure_first(files: list[str]) -> None:
    _, *rows = rows_of(headstart("predict", "net.safetensors", *files))
    surest = {row[0]: max(map(float, row[2:])) for row in rows}
    middle = sum(sorted(surest.values())[1:3]) / 2
    result = headstart("predict", "net.safetensors", *files, "--unsure", f"{middle}")
    _, *unsure = rows_of(result)
    wanted = sorted((name for name in surest if surest[name] < middle), key=lambda n: surest[n])
    assert [row[0] for row in unsure] == wanted and len(wanted) == 2
    assert result.exit_code == 0
    assert result.stderr == f"2 of 4 pictures are below {middle:g}.\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--json", "--csv", "-"], "both print to stdout"),
        (["--parquet", "-"], "stdout takes no Parquet: name a file"),
        (["--unsure", "1.5"], "1.5 is not in the range"),
    ],
)
def test_options_that_contradict_are_refused(
    files: list[str], options: list[str], sentence: str
) -> None:
    result = headstart("predict", "net.safetensors", *files, *options)
    assert result.exit_code == 2 and sentence in result.stderr and result.stdout == ""
