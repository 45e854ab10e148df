"""What MLflow calls in a logged model: bytes in, and what `Classifier` says out."""

import io
from pathlib import Path

import pandas as pd
import pytest

from headstart import Classifier
from headstart.use.served import _load_pyfunc
from tests.saved_networks import save_networks
from tests.small_networks import picture


def content(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).save(file, "PNG")
    return file.getvalue()


PICTURES = [content(0), b"no picture", content(1), b"", content(2)]
GOOD = [0, 2, 4]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    save_networks(tmp_path)
    return tmp_path


def asked(pictures: list[bytes]) -> pd.DataFrame:
    return pd.DataFrame({"picture": pictures})


@pytest.mark.parametrize("model", ["net", "two", "many"])
def test_it_says_what_the_classifier_says(folder: Path, model: str) -> None:
    path = folder / f"{model}.safetensors"
    said = _load_pyfunc(str(path)).predict(asked(PICTURES)).to_dict("records")
    wanted = Classifier.load(path).predict(PICTURES).to_dict("records")
    decided = "labels" if model == "many" else "class"
    for number in GOOD:
        row, other = said[number], wanted[number]
        assert list(row) == [decided, "probability", "top", "problem"]
        assert row[decided] == other[decided] and row["problem"] == ""
        pairs = [(one["class"], one["probability"]) for one in row["top"]]
        assert pairs == [(other[f"top_{k}"], other[f"p_{k}"]) for k in (1, 2, 3)]
        names = row[decided] if model == "many" else [row[decided]]
        values = row["probability"] if model == "many" else [row["probability"]]
        assert values == [dict(pairs)[name] for name in names]


def test_a_broken_picture_has_a_sentence_and_the_others_are_answered(folder: Path) -> None:
    for model, nothing in (("net", None), ("many", [])):
        served = _load_pyfunc(str(folder / f"{model}.safetensors"))
        rows = served.predict(asked(PICTURES)).to_dict("records")
        assert [row["problem"] for row in rows] == [
            *("", "its bytes are no picture that Pillow knows", ""),
            *("the file is empty", ""),
        ]
        for number in (1, 3):
            assert list(rows[number].values())[:3] == [nothing, nothing, []]
        [missing] = served.predict(pd.DataFrame({"picture": [None]})).to_dict("records")
        assert missing["problem"] == "the file is empty"


@pytest.mark.parametrize(("top_k", "n"), [(-1, 0), (0, 0), (2, 2), (99, 3)])
def test_top_k_is_how_many_are_listed(folder: Path, top_k: int, n: int) -> None:
    served = _load_pyfunc(str(folder / "net.safetensors"))
    [row] = served.predict(asked(PICTURES[:1]), {"top_k": top_k}).to_dict("records")
    assert len(row["top"]) == n and row["class"] in ("cat", "dog", "eel")


def test_a_request_without_pictures_is_answered(folder: Path) -> None:
    table = _load_pyfunc(str(folder / "net.safetensors")).predict(asked([]))
    assert list(table.columns) == ["class", "probability", "top", "problem"] and table.empty
