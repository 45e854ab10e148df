"""Files of named tensors: sealed safetensors of our own, and weights files of other origins."""

import hashlib
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from headstart.project.errors import HeadstartError
from headstart.project.finite import not_finite
from headstart.project.safetensors_file import write_safetensors
from headstart.project.seals import KEY, DamagedError, check_mark, check_seal, damage_of

_PICKLED = {".pth", ".pt", ".ckpt", ".bin", ".tar"}

_WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema", "teacher"),
    *("state_dict", "model_state_dict", "model", "module"),
)
"""Keys under which training scripts save tensors; the first one is taken, averages before others."""


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


def read_safetensors(path: Path) -> NamedTensors:
    """Read what write_tensors wrote, or another .safetensors file, which is read unchecked.

    Raises:
        DamagedError: the file is damaged.
        FileNotFoundError: there is no such file.
    """
    check_seal(path)
    with damage_of(path, SafetensorError), safe_open(path, framework="pt") as opened:
        metadata = dict(opened.metadata() or {})
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    check_mark(path, metadata.pop(KEY, None))
    return NamedTensors(tensors, metadata)


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
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 not in (None, found):
        raise TensorsError(f"{path} has other content than expected: sha256 {found}, not {sha256}.")
    try:
        if path.suffix == ".safetensors":
            content = read_safetensors(path)
            metadata, tensors = dict(content.metadata), dict(content.tensors)
        elif path.suffix in _PICKLED:
            metadata = {}
            tensors = _unwrapped(torch.load(path, map_location="cpu", weights_only=True))
        else:
            raise TensorsError(
                f"{path} ends in {path.suffix!r}; files of weights are .safetensors or "
                f"{', '.join(sorted(_PICKLED))}."
            )
    except DamagedError as error:  # of a weights file that the user named
        raise TensorsError(f"{path} is damaged: {error.why}.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = _reason(error)
        raise TensorsError(f"{path} is damaged, or holds more than tensors: {reason}") from None
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise TensorsError(f"{path} holds no dict of named tensors.")
    return NamedTensors(tensors, {**metadata, "sha256": found})


def _unwrapped(content: Any) -> dict[str, Any]:
    """The dict of tensors in what a training script saved; empty where there is none."""
    while isinstance(content, Mapping):
        inner = [key for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inner:
            return {str(name): tensor for name, tensor in content.items()}
        content = content[inner[0]]
    return {}


def _reason(error: Exception) -> str:
    """Why a file cannot be read: the class that it wants to load, or the first line of the error."""
    if wanted := re.search(r"Unsupported global: GLOBAL (\S+)", str(error)):
        return f"it wants to load {wanted[1]}, which is code; save the state_dict alone."
    return next(iter(str(error).splitlines()), type(error).__name__)
