"""Weights that timm downloads, nearly all from the hub: why a download failed, and what helps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor

from headstart.backbone import torchvision_ops
from headstart.backbone.forms import Options
from headstart.fetching.weights import WeightsError

BY_HAND = "set backbone.weights to the absolute path of a file that holds them"
LOG_IN = "run `hf auth login`, or set HF_TOKEN"


def download(name: str, options: Options) -> tuple[Mapping[str, Tensor], str]:
    """The tensors that timm downloads for `name`, loaded strictly, and their full name in timm.

    Where `options` state another input size than the network's own, timm resamples its positions.
    Where the hub does not answer, the weights in its cache on this machine are used.

    Raises:
        WeightsError: timm has no weights for `name`, or could not get or load them.
    """
    torchvision_ops.declare_missing()
    import timm  # here, because the import takes seconds

    config = timm.models.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise WeightsError(f"timm has no pretrained weights for backbone.name {name!r}.")
    sized: dict[str, Any] = {key: value for key, value in options.items() if key == "img_size"}
    repo = config.hf_hub_id or ""  # a few are at an address of their own
    silence = _silence(repo) if repo else None
    try:
        with _offline() if silence else nullcontext():
            model = timm.create_model(name, pretrained=True, **sized)
    except Exception as error:  # the hub, the network and the file each fail in their own ways
        why = _of_hub(error, repo, silence) or f"could not be loaded ({_told(error)}): {BY_HAND}"
        # without the error as its cause, whose text may quote a token
        raise WeightsError(f"backbone.name is {name!r}, whose weights {why}.") from None
    return model.state_dict(), f"timm {config.architecture}.{config.tag}"


def _silence(repo: str) -> Exception | None:
    """Why the hub does not answer at all; None if it answers, be it with a refusal.

    It is asked once, for HF_HUB_ETAG_TIMEOUT seconds: huggingface_hub itself repeats its question for
    minutes where its cache lacks a file.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(repo, "model.safetensors"))
    except HfHubHTTPError:
        return None
    except Exception as error:  # offline mode, and whatever the layers of the network raise
        return error
    return None


@contextmanager
def _offline() -> Iterator[None]:
    """Let huggingface_hub ask nobody and take what its cache holds, as HF_HUB_OFFLINE=1 does."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _of_hub(error: Exception, repo: str, silence: Exception | None) -> str:
    """What is wrong and what helps, where the hub or the way to it is at fault; else ''.

    The hub's own text is not repeated: it has many lines, and is for programmers.

    Args:
        error: that ended the download.
        repo: of the hub.
        silence: why the hub did not answer.
    """
    from huggingface_hub import constants, errors, get_token

    address = f"https://huggingface.co/{repo}"
    sent = "the token that was sent is not enough" if get_token() else "no token was sent"
    answer = error if isinstance(error, errors.HfHubHTTPError) else error.__cause__
    if isinstance(answer, errors.GatedRepoError):
        return (
            f"are given only to those who accept their licence ({sent}): accept it at {address} and "
            f"{LOG_IN}; or {BY_HAND}"
        )
    if isinstance(answer, errors.RepositoryNotFoundError):
        return (
            f"are looked for at {address}, which does not exist or is private ({sent}): {LOG_IN} if "
            f"you may read it; or {BY_HAND}"
        )
    if isinstance(answer, errors.EntryNotFoundError):
        return f"are looked for at {address}, which holds no file of weights: {BY_HAND}"
    if isinstance(answer, errors.HfHubHTTPError):
        status = answer.response.status_code
        if status in (401, 403):
            return (
                f"are refused by the hub (status {status}; {sent}): look at {address} whether you may "
                f"read them, and {LOG_IN} with a token that is valid; or {BY_HAND}"
            )
        return f"were not sent by the hub (status {status}): try again later, or {BY_HAND}"
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        lacks = f"are not in the hub's cache ({constants.HF_HUB_CACHE})"
        if constants.is_offline_mode():
            return f"{lacks}, and HF_HUB_OFFLINE is set: unset it and connect once, or {BY_HAND}"
        why = f" ({_told(silence)})" if silence else ""
        return f"{lacks}, and the hub does not answer{why}: connect once, or {BY_HAND}"
    return ""


def _told(error: Exception) -> str:
    """The type and the text of an error on one line, without a text that quotes a token."""
    from huggingface_hub import get_token

    kind, text = type(error).__name__, " ".join(str(error).split())
    is_secret = "bearer" in text.lower() or (get_token() or "\n") in text
    return kind if is_secret or not text else f"{kind}: {text.rstrip('.')}"
