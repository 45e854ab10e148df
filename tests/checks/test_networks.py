"""Names that timm knows, and weights of other networks."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from headstart.backbone import torchvision_ops
from headstart.checks.networks import is_registered, unknown_network, wrong_tensors
from headstart.project.params import PARAMS_FILE

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_the_repo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def said(name: object, weights: object = "sources/random.yaml") -> list[str]:
    values = {"backbone": {"name": name, "weights": weights}}
    return [*unknown_network(values, PARAMS_FILE), *wrong_tensors(values, PARAMS_FILE)]


def test_the_text_of_timm_has_all_its_models_and_no_other() -> None:
    torchvision_ops.declare_missing()
    import timm

    names = timm.list_models()
    assert [name for name in names[::20] if not is_registered(name)] == []
    for name in ("resnet5000", "", "resnet34.none", "timm", "ResNet", "resnet"):
        assert not is_registered(name)
    assert is_registered("resnet34.tv_in1k") and is_registered("convnext_tiny.fb_in1k")


def test_a_known_name_is_found_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    def imported(*_: object) -> Iterator[str]:
        raise AssertionError("timm takes seconds")

    monkeypatch.setattr("headstart.checks.networks._on_paper", imported)
    assert said("resnet34.tv_in1k") == []
    assert said(3) == said("resnet34", 3) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet5000", "which timm does not know. Did you mean one of resnet50"),
        ("resnet34.tv_in2k", "Invalid pretrained tag (tv_in2k)"),
        ("?", "which timm does not know; no similar name was found."),
    ],
)
def test_an_unknown_name(name: str, sentence: str) -> None:
    [line] = said(name)
    assert line.startswith(f"params.yaml: backbone.name is {name!r}") and sentence in line


def test_a_users_weights_of_another_network(tmp_path: Path) -> None:
    torchvision_ops.declare_missing()
    import timm

    path = tmp_path / "mine.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    assert said("test_resnet", str(path)) == []
    [line] = said("test_efficientnet", str(path))
    assert f"backbone.weights {str(path)!r} does not fit backbone.name 'test_efficientnet'" in line
    path.write_bytes(b"no weights")
    [line] = said("test_resnet", str(path))
    assert "mine.pth is damaged, or holds more than tensors" in line
    assert "timm" in sys.modules
