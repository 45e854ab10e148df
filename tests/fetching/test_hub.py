"""Weights from the hub, with a stand-in for it: over HTTP, by all of timm's and the hub's own code."""

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import close_session, constants
from safetensors.torch import save
from torch import Tensor

from headstart.backbone import torchvision_ops
from headstart.fetching.hub import download
from headstart.fetching.weights import WeightsError
from tests.hub import standing_in_for_the_hub

NAME, REPO = "test_resnet", "timm/test_resnet.r160_in1k"
FOLDER = f"/{REPO}/resolve/main"
NOBODY = "http://127.0.0.1:1"  # nothing listens there
TOKEN = "hf_" + "aSecret" * 5
Use = Callable[[str], None]


def in_bytes(tensors: dict[str, Tensor]) -> bytes:
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


@pytest.fixture
def state() -> dict[str, Tensor]:
    torchvision_ops.declare_missing()
    import timm

    found: dict[str, Tensor] = timm.create_model(NAME).state_dict()
    return {k: torch.full_like(v, number) for number, (k, v) in enumerate(found.items())}


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Makes an address the hub's, with an empty cache, no token, and no patience for retries."""

    def no_retry(seconds: float) -> None:
        raise AssertionError(f"waits {seconds} s to ask again")

    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", no_retry)

    def at(url: str) -> None:
        close_session()
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return at


def refused() -> str:
    """The message of a download that fails: one sentence, without the token."""
    with pytest.raises(WeightsError) as caught:
        download(NAME, {})
    message = str(caught.value)
    assert message.startswith(f"backbone.name is {NAME!r}, whose weights ")
    assert message.endswith("set backbone.weights to the absolute path of a file that holds them.")
    assert "\n" not in message and "ecret" not in message
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_without_network_the_cache_is_enough(
    file: str,
    use: Use,
    state: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    content = save(state) if file == "model.safetensors" else in_bytes(state)
    with standing_in_for_the_hub({f"{FOLDER}/{file}": content}) as (url, asked):
        use(url)
        tensors, source = download(NAME, {})
    assert source == "timm test_resnet.r160_in1k"
    assert all(torch.equal(tensor, state[key]) for key, tensor in tensors.items())
    assert asked[-1] == f"GET {FOLDER}/{file}"
    use(NOBODY)
    capfd.readouterr()
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        again, _ = download(NAME, {})
        assert all(torch.equal(tensor, state[key]) for key, tensor in again.items())
        assert constants.HF_HUB_OFFLINE is offline
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")


def test_without_network_and_cache(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(NOBODY)
    cache = f"are not in the hub's cache ({constants.HF_HUB_CACHE}), and"
    assert f"{cache} the hub does not answer (ConnectError: " in refused()
    assert "connect once, or" in refused()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert f"{cache} HF_HUB_OFFLINE is set: unset it and connect once, or" in refused()


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((401, "GatedRepo"), "given only to those who accept their licence"),
        ((403, "GatedRepo"), "given only to those who accept their licence"),
        ((401, "RepoNotFound"), "which does not exist or is private"),
        ((404, "RepoNotFound"), "which does not exist or is private"),
        ((401, ""), "are refused by the hub (status 401"),
        ((403, ""), "are refused by the hub (status 403"),
        ((404, "EntryNotFound"), "which holds no file of weights"),
        ((418, ""), "were not sent by the hub (status 418): try again later"),
    ],
)
def test_what_the_hub_refuses(
    refusal: tuple[int, str], says: str, token: str, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with standing_in_for_the_hub({}, refusal) as (url, _):
        use(url)
        message = refused()
    assert says in message
    if refusal[0] in (401, 403):
        assert ("no token was sent" in message) is not bool(token)
        assert ("the token that was sent is not enough" in message) is bool(token)
        assert "run `hf auth login`, or set HF_TOKEN" in message
        assert f"https://huggingface.co/{REPO}" in message


def test_a_refusal_does_not_hide_what_the_cache_holds(use: Use, state: dict[str, Tensor]) -> None:
    with standing_in_for_the_hub({f"{FOLDER}/model.safetensors": save(state)}) as (url, _):
        use(url)
        download(NAME, {})
    with standing_in_for_the_hub({}, (401, "GatedRepo")) as (url, _):
        use(url)
        tensors, _ = download(NAME, {})
    assert all(torch.equal(tensor, state[key]) for key, tensor in tensors.items())


def test_no_error_tells_the_token(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_a\x0bSecret")  # the error of the HTTP library quotes it
    with standing_in_for_the_hub({}) as (url, _):
        use(url)
        assert "the hub does not answer (LocalProtocolError): connect" in refused()

        def quotes(*_: Any, **__: Any) -> str:
            raise RuntimeError(f"cannot send {TOKEN}")

        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("timm.models._hub.hf_hub_download", quotes)
        assert "could not be loaded (RuntimeError): " in refused()


def test_a_file_that_does_not_fit(use: Use, state: dict[str, Tensor]) -> None:
    del state["bn1.weight"]
    with standing_in_for_the_hub({f"{FOLDER}/model.safetensors": save(state)}) as (url, _):
        use(url)
        assert "could not be loaded (RuntimeError: Error(s) in loading state_dict" in refused()
        assert "bn1.weight" in refused()


def test_other_failures_of_the_download(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise ConnectionResetError("reset by peer.")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda _: None)
    monkeypatch.setattr("timm.models._hub.hf_hub_download", broken)
    assert "could not be loaded (ConnectionResetError: reset by peer): set" in refused()


def test_a_network_without_weights_is_told() -> None:
    with pytest.raises(
        WeightsError, match=r"no pretrained weights for backbone\.name .nf_resnet26"
    ):
        download("nf_resnet26", {})
