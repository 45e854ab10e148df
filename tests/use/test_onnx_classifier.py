"""A network is served from its ONNX file without torch, by the pixels and the rule of the pipeline."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headstart import Classifier
from headstart.exporting.as_onnx import as_onnx
from headstart.exporting.pixels import Pixels
from headstart.exporting.squares import squares
from headstart.network.checkpoints import read_checkpoint, write_checkpoint
from headstart.project.errors import HeadstartError
from headstart.use.onnx_classifier import OnnxClassifier
from tests.saved_networks import save_networks
from tests.small_networks import picture

WITHOUT_TORCH = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "timm", "safetensors", "onnx"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import pandas
from pathlib import Path
from headstart.use.served import _load_pyfunc
content = Path(sys.argv[2]).read_bytes()
print(_load_pyfunc(sys.argv[1]).predict(pandas.DataFrame({"picture": [content]}))["class"][0])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    save_networks(tmp_path)
    for number in range(40):
        picture(number).save(tmp_path / f"{number}.png")
    return tmp_path


def loaded(checkpoint: Path) -> OnnxClassifier:
    return OnnxClassifier.load(as_onnx(checkpoint, checkpoint.parent))


def test_it_needs_no_torch(folder: Path) -> None:
    file = as_onnx(folder / "net.safetensors", folder)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(file), str(folder / "0.png")],
        capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [row] = Classifier.load(folder / "net.safetensors").predict(folder / "0.png")["class"]
    assert done.stdout.strip() == row


@pytest.mark.parametrize("name", ["net", "squashed"])
def test_it_sees_the_pixels_of_the_pipeline(folder: Path, name: str) -> None:
    info = read_checkpoint(folder / f"{name}.safetensors").info
    contents = [(folder / f"{number}.png").read_bytes() for number in range(40)]
    contents.insert(3, b"no picture")
    seen: list[Pixels] = []

    classifier = loaded(folder / f"{name}.safetensors")
    run = classifier.run

    class Run:
        about = run.about

        def __call__(self, pixels: Pixels) -> object:
            seen.append(pixels)
            return run(pixels)

    said = list(OnnxClassifier(Run()).each(contents))  # type: ignore[arg-type]
    assert [one.number for one in said] == list(range(41))
    assert [one.number for one in said if one.problem] == [3] and not len(said[3].probabilities)
    of_the_pipeline = squares(map(info.preprocessing.encode, contents[:3] + contents[4:]), info)
    assert np.array_equal(np.delete(np.concatenate(seen), 3, axis=0), of_the_pipeline)
    assert [len(batch) for batch in seen] == [32, 9]


def test_it_decides_by_costs(folder: Path) -> None:
    content = read_checkpoint(folder / "net.safetensors")
    dear = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (90.0, 90.0, 0.0))  # an eel that is missed
    info = content.info.model_copy(update={"costs": dear})
    write_checkpoint(folder / "dear.safetensors", type(content)(info=info, tensors=content.tensors))
    row = np.array([0.6, 0.3, 0.1])
    assert loaded(folder / "net.safetensors").labels(row) == ["cat"]
    assert loaded(folder / "dear.safetensors").labels(row) == ["eel"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADSTART_DEVICE", "cuda:7"),
        ("HEADSTART_DEVICE", "mps"),
        ("HEADSTART_DEVICE", "gpu"),
        ("HEADSTART_THREADS", "two"),
        ("HEADSTART_THREADS", "0"),
    ],
)
def test_what_onnxruntime_cannot_use_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    file = as_onnx(folder / "net.safetensors", folder)
    monkeypatch.setenv(name, value)
    with pytest.raises(HeadstartError, match=f"^{name} is '{value}'"):
        OnnxClassifier.load(file)


def test_another_pillow_is_told(folder: Path) -> None:
    content = read_checkpoint(folder / "net.safetensors")
    old = content.info.preprocessing.model_copy(update={"pillow": "9.0.0"})
    old = old.model_copy(
        update={"stored": tuple(form.model_copy(update={"pillow": "9.0.0"}) for form in old.stored)}
    )
    info = content.info.model_copy(update={"preprocessing": old})
    write_checkpoint(folder / "old.safetensors", type(content)(info=info, tensors=content.tensors))
    with pytest.warns(UserWarning, match=r"made by Pillow 9\.0\.0, and this is "):
        loaded(folder / "old.safetensors")


def test_what_cannot_be_converted_is_served_from_its_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise HeadstartError("torch.onnx does not convert this network: no.")

    monkeypatch.setattr("headstart.exporting.onnx_file.write_onnx", refused)
    checkpoint = folder / "net.safetensors"
    assert as_onnx(checkpoint, folder) == checkpoint
    assert capsys.readouterr().err == (
        "MLflow's model is the checkpoint, which torch serves: torch.onnx does not convert this "
        "network: no.\n"
    )
