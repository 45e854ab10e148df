"""What MLflow calls in a logged model: bytes in, and what `Classifier` says out."""

import io
from pathlib import Path

import pandas as pd
import pytest
from torch import Tensor

from headstart import Classifier
from headstart.exporting.as_onnx import as_onnx
from headstart.network.network import Network
from headstart.use.served import Served, _load_pyfunc
from tests.saved_networks import save_networks
from tests.small_networks import picture


def content(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).save(file, "PNG")
    return file.getvalue()


PICTURES = [content(0), b"no picture", content(1), b"", content(2)]
GOOD = [0, 2, 4]
ROUNDING = {"safetensors": 1e-6, "onnx": 1e-5}  # onnxruntime adds up in another order


@pytest.fixture(params=["safetensors", "onnx"])
def served_as(request: pytest.FixtureRequest) -> str:
    """The form in which the model holds its network."""
    return str(request.param)


def served(checkpoint: Path, form: str) -> Served:
    if form == "safetensors":
        return _load_pyfunc(str(checkpoint))
    made = checkpoint.parent / f"of {checkpoint.stem}"
    made.mkdir()
    return _load_pyfunc(str(as_onnx(checkpoint, made)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    save_networks(tmp_path)
    return tmp_path


def asked(pictures: list[bytes]) -> pd.DataFrame:
    return pd.DataFrame({"picture": pictures})


@pytest.mark.parametrize("model", ["net", "two", "many", "squashed"])
def test_it_says_what_the_classifier_says(folder: Path, model: str, served_as: str) -> None:
    path = folder / f"{model}.safetensors"
    said = served(path, served_as).predict(asked(PICTURES)).to_dict("records")
    wanted = Classifier.load(path).predict(PICTURES).to_dict("records")
    decided = "labels" if model == "many" else "class"
    for number in GOOD:
        row, other = said[number], wanted[number]
        assert list(row) == [decided, "probability", "top", "problem"]
        assert row[decided] == other[decided] and row["problem"] == ""
        pairs = [(one["class"], one["probability"]) for one in row["top"]]
        assert [name for name, _ in pairs] == [other[f"top_{k}"] for k in (1, 2, 3)]
        wanted_p = [other[f"p_{k}"] for k in (1, 2, 3)]
        assert [p for _, p in pairs] == pytest.approx(wanted_p, abs=ROUNDING[served_as])
        names = row[decided] if model == "many" else [row[decided]]
        values = row["probability"] if model == "many" else [row["probability"]]
        assert values == [dict(pairs)[name] for name in names]


def test_one_picture_is_one_forward_pass_of_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    forward = Network.forward

    def noted(network: Network, batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        return forward(network, batch)

    monkeypatch.setattr(Network, "forward", noted)
    model = served(folder / "net.safetensors", "safetensors")
    for n in (1, 3):
        model.predict(asked(PICTURES[:1] * n))
    assert sizes == [1, 3]
    Classifier.load(folder / "net.safetensors").predict(PICTURES[:1])
    assert sizes[2] > 1  # what was measured, to the last bit


def test_a_broken_picture_has_a_sentence_and_the_others_are_answered(
    folder: Path, served_as: str
) -> None:
    for name, nothing in (("net", None), ("many", [])):
        model = served(folder / f"{name}.safetensors", served_as)
        rows = model.predict(asked(PICTURES)).to_dict("records")
        assert [row["problem"] for row in rows] == [
            *("", "its bytes are no picture that Pillow knows", ""),
            *("the file is empty", ""),
        ]
        for number in (1, 3):
            assert list(rows[number].values())[:3] == [nothing, nothing, []]
        [missing] = model.predict(pd.DataFrame({"picture": [None]})).to_dict("records")
        assert missing["problem"] == "the file is empty"


@pytest.mark.parametrize(("top_k", "n"), [(-1, 0), (0, 0), (2, 2), (99, 3)])
def test_top_k_is_how_many_are_listed(folder: Path, top_k: int, n: int) -> None:
    model = served(folder / "net.safetensors", "safetensors")
    [row] = model.predict(asked(PICTURES[:1]), {"top_k": top_k}).to_dict("records")
    assert len(row["top"]) == n and row["class"] in ("cat", "dog", "eel")


def test_a_request_without_pictures_is_answered(folder: Path, served_as: str) -> None:
    table = served(folder / "net.safetensors", served_as).predict(asked([]))
    assert list(table.columns) == ["class", "probability", "top", "problem"] and table.empty
