"""Files of named tensors: reproducible safetensors of our own, and weights files of other origins."""

import hashlib
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from headstart.project.errors import HeadstartError
from headstart.project.finite import not_finite
from headstart.project.safetensors_file import write_safetensors

_PICKLED = {".pth", ".pt", ".ckpt", ".bin", ".tar"}

_WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema", "teacher"),
    *("state_dict", "model_state_dict", "model", "module"),
)
"""Keys under which training scripts save tensors; the first one is taken, averages before others."""


MAX_WRAPPERS = 8
N_SHOWN = 200  # characters of an error of torch or safetensors


class TensorsError(HeadstartError):
    """A file holds no named tensors, has another digest than it should, or cannot be written."""


@dataclass(frozen=True)
class NamedTensors:
    """Tensors by name, in the file's order, and the file's metadata."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    def counts(self) -> dict[str, int]:
        """Numbers of tensors and of their elements, for a metrics file."""
        tensors = self.tensors.values()
        return {"n_tensors": len(tensors), "n_numbers": sum(tensor.numel() for tensor in tensors)}


def write_tensors(path: Path, content: NamedTensors) -> None:
    """Write safetensors. The same content gives the same bytes.

    Raises:
        TensorsError: a tensor holds numbers that are not finite; nothing is written.
    """
    if names := not_finite(content.tensors):
        raise TensorsError(f"{path} is not written: numbers in {names} are not finite.")
    data = save({k: v.detach().cpu().contiguous() for k, v in content.tensors.items()})
    write_safetensors(path, data, content.metadata)


def read_tensors(path: Path, sha256: str | None = None) -> NamedTensors:
    """Read .safetensors, .pth, .pt, .ckpt, .bin or .tar without running any code in the file.

    The tensors may lie under one of the keys of `_WRAPPERS`, or several of them. The file's sha256 is
    added to the metadata.

    Args:
        path: the file.
        sha256: the expected sha256 (hex) of the file, if known.

    Raises:
        TensorsError: the file has another digest, is of another kind, is damaged, or holds more
            than tensors.
    """
    if path.exists() and not path.is_file():
        raise TensorsError(f"{path} is no file: give a file of weights.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 not in (None, found):
        raise TensorsError(f"{path} has other content than expected: sha256 {found}, not {sha256}.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as opened:
                metadata = dict(opened.metadata() or {})
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        elif path.suffix in _PICKLED:
            metadata = {}
            _require_packed_as_torch_does(path)
            with warnings.catch_warnings():  # they advise on weights_only
                warnings.simplefilter("ignore")
                loaded = torch.load(path, map_location="cpu", weights_only=True)
            tensors = _unwrapped(loaded)
        else:
            raise TensorsError(
                f"{path} ends in {path.suffix!r}; files of weights are .safetensors or "
                f"{', '.join(sorted(_PICKLED))}."
            )
    except TensorsError:
        raise
    except Exception as error:  # torch's unpickler has many ways to fail
        raise TensorsError(
            f"{path} is damaged, or holds more than tensors: {_reason(error)}"
        ) from None
    if not tensors or not all(_is_plain(tensor) for tensor in tensors.values()):
        raise TensorsError(
            f"{path} holds no dict of named tensors: save the state_dict of the network alone, best as "
            ".safetensors."
        )
    return NamedTensors(tensors, {**metadata, "sha256": found})


def _unwrapped(content: Any) -> dict[str, Any]:
    """The dict of tensors in what a training script saved; empty where there is none."""
    for _ in range(MAX_WRAPPERS):  # a dict may hold itself
        if not isinstance(content, Mapping):
            break
        inner = [key for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inner:
            return {_name(key): tensor for key, tensor in content.items()}
        content = content[inner[0]]
    return {}


def _name(key: object) -> str:
    if not isinstance(key, str | int):  # a tuple may hold itself many times
        raise TypeError(f"names must be text, but one is a {type(key).__name__}")
    return str(key)


def _is_plain(tensor: object) -> bool:
    """Whether it is a dense tensor that its own numbers fill.

    A view of one number may claim to be a million, which the first copy of it would make true.
    """
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
        return False
    if tensor.is_quantized or tensor.device.type != "cpu":
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _require_packed_as_torch_does(path: Path) -> None:
    """Refuse a ZIP with compressed content: torch writes none, and a bomb is made of it.

    Raises:
        TensorsError: it has some.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as packed:
        if any(part.compress_type != zipfile.ZIP_STORED for part in packed.infolist()):
            raise TensorsError(
                f"{path} is a compressed ZIP archive, which torch never writes: unpack it, and give "
                "the file of weights in it."
            )


def _reason(error: Exception) -> str:
    """Why a file cannot be read: the class that it wants to load, or the first line of the error.

    Torch's own advice, to load with weights_only=False, is never passed on: it runs the file's code.
    """
    if wanted := re.search(r"Unsupported global: GLOBAL (\S+)", str(error)):
        return f"it wants to load {wanted[1]}, which is code; save the state_dict alone."
    line = next(iter(str(error).splitlines()), "")
    if "weights_only" in str(error) or not line:
        return (
            f"its content is no tensors ({type(error).__name__}); save the state_dict alone, best as "
            ".safetensors."
        )
    return f"{line[:N_SHOWN].rstrip('.')}; download it again, or save the state_dict alone."
