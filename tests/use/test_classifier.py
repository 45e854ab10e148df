"""A trained network in Python says what `headstart predict` says."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from headstart import Classifier
from headstart.commands.cli import main
from headstart.network.checkpoints import CheckpointError, read_checkpoint, write_checkpoint
from headstart.project.errors import HeadstartError
from headstart.use.classifier import Classifier as Whole
from headstart.use.picture_files import PictureFiles
from tests.saved_networks import save_networks
from tests.small_networks import PREPROCESSING, picture


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    save_networks(tmp_path)
    for number in range(4):
        picture(number).save(f"{number}.png")
    return [f"{number}.png" for number in range(4)]


def test_it_says_what_the_command_says(files: list[str]) -> None:
    assert Classifier is Whole
    for model in ("net", "two", "many"):
        told = CliRunner().invoke(main, ["predict", f"{model}.safetensors", *files]).stdout
        header, *rows = csv.reader(io.StringIO(told))
        table = Classifier.load(f"{model}.safetensors").predict(files)
        assert list(table.columns[:2]) == header[:2] and table["picture"].tolist() == files
        for said, (_, decided, *values) in zip(table.to_dict("records"), rows, strict=True):
            labels = said[header[1]]
            assert decided == (labels if model != "many" else " ".join(labels))
            shown = {said[f"top_{k}"]: f"{said[f'p_{k}']:.4f}" for k in (1, 2, 3)}
            assert [shown[name] for name in ("cat", "dog", "eel")] == values
            assert said["p_1"] >= said["p_2"] >= said["p_3"] and said["problem"] == ""


@pytest.mark.parametrize("name", ["net", "two", "many"])
def test_probabilities_are_calibrated_by_the_temperature_of_the_plain_view(
    files: list[str], name: str
) -> None:
    said = Classifier.load(f"{name}.safetensors")
    content = read_checkpoint(Path(f"{name}.safetensors"))
    info = content.info.model_copy(update={"temperatures": {"plain": 0.5, "tta": 7.0}})
    write_checkpoint(Path("calibrated.safetensors"), content.model_copy(update={"info": info}))
    calibrated = Classifier.load("calibrated.safetensors")
    for before, after in zip(said.each(files), calibrated.each(files), strict=True):
        odds = before.probabilities**2
        if name == "many":
            expected = odds / (odds + (1 - before.probabilities) ** 2)
        else:
            expected = odds / odds.sum()
        assert after.probabilities == pytest.approx(expected)
        assert after.probabilities.argmax() == before.probabilities.argmax()


def test_costs_in_the_checkpoint_decide(files: list[str]) -> None:
    said = Classifier.load("net.safetensors")
    content = read_checkpoint(Path("net.safetensors"))
    likeliest = said.predict(files[0])["class"][0]
    k = said.classes.index("eel" if likeliest != "eel" else "cat")
    costs = tuple(
        tuple(float(row != j) * (1e9 if row == k else 1) for j in range(3)) for row in range(3)
    )
    info = content.info.model_copy(update={"costs": costs})
    write_checkpoint(Path("dear.safetensors"), content.model_copy(update={"info": info}))
    row = Classifier.load("dear.safetensors").predict(files[0]).iloc[0]
    assert (row["class"], row["top_1"]) == (said.classes[k], likeliest)
    told = CliRunner().invoke(main, ["predict", "dear.safetensors", files[0]]).stdout
    assert f"{files[0]},{said.classes[k]}," in told


def test_images_count_as_png_files(files: list[str]) -> None:
    """Whatever their mode; EXIF turns them as it turns a file."""
    classifier = Classifier.load("net.safetensors")
    turned = picture(0)
    turned.getexif()[0x0112] = 6
    clear = picture(1).convert("RGBA")
    clear.putalpha(picture(2).convert("L"))
    deep = Image.fromarray(np.asarray(picture(3).convert("L")).astype(np.int32) * 257)
    images = [turned, clear, picture(2).convert("CMYK"), deep, picture(3).convert("P")]
    assert deep.mode == "I"
    turned.save("turned.png", exif=turned.getexif())
    clear.save("clear.png")
    images[2].convert("RGB").save("inks.png")
    deep.convert("I;16").save("deep.png")
    images[4].save("palette.png")
    names = ["turned.png", "clear.png", "inks.png", "deep.png", "palette.png"]
    of_images, of_files = classifier.predict(images), classifier.predict(names)
    assert of_images["picture"].tolist() == [f"image {n}" for n in range(1, 6)]
    columns = ["class", "p_1", "p_2", "p_3"]
    assert of_images[columns].equals(of_files[columns])
    upright = classifier.predict(picture(0))
    assert len(upright) == 1 and upright["p_1"][0] != of_images["p_1"][0]
    with Image.open("clear.png") as opened:
        assert classifier.predict([opened])["picture"].tolist() == ["clear.png"]


def test_images_of_numbers_count_as_the_tiff_files_that_hold_them(files: list[str]) -> None:
    """Floats and numbers beyond 16 bits have no known white, so nothing is clipped."""
    grey = np.asarray(picture(0).convert("L")).astype(np.int32)
    numbers = {
        "floats": grey.astype(np.float32),
        "negative": grey - 256,
        "large": grey * 1000,
        "grey": grey * 257,
        "big_endian": (grey * 257).astype(">u2"),
    }
    images = [Image.fromarray(values) for values in numbers.values()]
    for name, image in zip(numbers, images, strict=True):
        image.save(f"{name}.tiff")
    assert [image.mode for image in images] == ["F", "I", "I", "I", "I;16B"]
    classifier = Classifier.load("net.safetensors")
    of_files = classifier.predict([f"{name}.tiff" for name in numbers]).drop(columns="picture")
    assert classifier.predict(images).drop(columns="picture").equals(of_files)
    told = of_files["problem"].tolist()
    assert told[0].startswith("it holds floats, whose range nobody knows")
    assert "from -2" in told[1] and "but only 0 to 65535 are grey levels" in told[2]
    assert told[3:] == ["", ""] and of_files["p_1"][3] == of_files["p_1"][4]
    with Image.open("floats.tiff") as opened:
        assert classifier.predict(opened)["problem"].tolist() == told[:1]


def test_images_are_upright_and_lie_over_white_in_any_mode(files: list[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.asarray(picture(3).convert("L")).astype(np.int32) * 257)
    deep.save("turned.tiff", exif=exif)
    clear = picture(1).convert("RGBA")
    clear.putalpha(picture(2).convert("L"))
    palette = clear.convert("PA")
    palette.convert("RGBA").save("clear.png")
    with Image.open("turned.tiff") as turned:
        images = [turned, palette]
        classifier = Classifier.load("net.safetensors")
        of_images = classifier.predict(images)
    of_files = classifier.predict(["turned.tiff", "clear.png"])
    columns = ["class", "p_1", "p_2", "p_3", "problem"]
    assert of_images[columns].equals(of_files[columns])
    assert of_files["p_1"][0] != classifier.predict(deep)["p_1"][0]
    assert of_files["p_1"][1] != classifier.predict(palette.convert("RGB"))["p_1"][0]


def test_the_order_of_the_pictures_is_that_of_iteration(files: list[str]) -> None:
    """Of a column that was sorted or filtered, and of pictures that come one by one."""
    classifier = Classifier.load("net.safetensors")
    column = pd.Series(files).sort_values(ascending=False)
    some = column[column != files[0]]
    assert list(column.index) == [3, 2, 1, 0] and list(some.index) == [3, 2, 1]
    expected = classifier.predict(files[::-1])
    assert classifier.predict(column).equals(expected)
    assert classifier.predict(file for file in files[::-1]).equals(expected)
    assert classifier.predict(some).equals(expected.iloc[:3])
    [last, *_] = list(classifier.explained(some))
    assert np.array_equal(last.probabilities, next(classifier.each(files[3:])).probabilities)


def test_the_content_of_a_file_says_what_the_file_says(files: list[str]) -> None:
    classifier = Classifier.load("net.safetensors")
    table = classifier.predict([Path(files[0]).read_bytes(), files[1]])
    assert table["picture"].tolist() == ["image 1", files[1]]
    assert table.drop(columns="picture").equals(
        classifier.predict(files[:2]).drop(columns="picture")
    )
    assert classifier.predict(b"")["problem"].tolist() == ["the file is empty"]


def test_a_picture_that_cannot_be_read_has_a_row_that_says_why(files: list[str]) -> None:
    table = Classifier.load("many.safetensors").predict(
        [files[0], "none.png", Path(files[1])], top=9
    )
    assert table["problem"].tolist() == ["", "No such file or directory", ""]
    assert list(table.columns).count("top_3") == 1 and "top_4" not in table
    bad = table.iloc[1]
    assert bad["labels"] == [] and pd.isna(bad["p_1"]) and pd.isna(bad["top_1"])
    alone = Classifier.load("net.safetensors").predict("none.png")
    assert alone["class"].isna().tolist() == [True]
    assert len(Classifier.load("net.safetensors").predict([])) == 0


def test_top_must_be_positive(files: list[str]) -> None:
    with pytest.raises(HeadstartError, match=r"top is 0; it must be at least 1\."):
        Classifier.load("net.safetensors").predict(files, top=0)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("none", "is no readable checkpoint"),
        ("head", "holds a head without its backbone"),
        ("bare", "holds no thresholds"),
    ],
)
def test_what_cannot_predict_is_refused(files: list[str], file: str, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        Classifier.load(f"{file}.safetensors")


def test_pictures_are_read_when_they_are_asked_for(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a long list holds a few batches in memory, and threads read ahead of the network."""
    monkeypatch.setattr("headstart.backbone.device.FORWARD_BATCH", 1)
    monkeypatch.setattr("headstart.project.workers.n_workers", lambda: 1)
    read: list[str] = []
    encoded = PictureFiles.encoded

    def noted(source: PictureFiles, number: str) -> bytes:
        read.append(number)
        return encoded(source, number)

    monkeypatch.setattr(PictureFiles, "encoded", noted)
    first = next(Classifier.load("net.safetensors").each(files * 10))
    assert first.number == 0 and 1 <= len(read) <= 5  # of 40: four jobs wait for one thread
    assert PictureFiles(files, PREPROCESSING).ids == ["0", "1", "2", "3"]


def test_explained_predictions_are_the_same_and_have_a_map_for_each_label(files: list[str]) -> None:
    named = [*files[:2], "none.png", *files[2:]]
    for model in ("net", "two", "many"):
        classifier = Classifier.load(f"{model}.safetensors")
        for plain, one in zip(classifier.each(named), classifier.explained(named), strict=True):
            assert np.array_equal(plain.probabilities, one.probabilities)
            assert (plain.number, plain.problem) == (one.number, one.problem)
            assert plain.heat == {} and (one.problem == "") == bool(one.heat)
            if not one.problem:
                assert list(one.heat) == classifier.labels(one.probabilities)
            for heat in one.heat.values():
                assert heat.dtype == np.float32 and heat.max() in (0, 1)
