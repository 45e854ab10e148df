"""Each file that a stage reads, with its reader, for tests of damage."""

import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from headstart.activations.stored import read_activations
from headstart.backbone.tensors import NamedTensors, read_safetensors, write_tensors
from headstart.evaluation.predictions import read_predictions
from headstart.image_files.image_folder import ImageFolder, ListedFile, write_images
from headstart.labels.labels import read_labels
from headstart.network.checkpoints import read_checkpoint
from headstart.pictures.resized import ResizedPictures
from headstart.pictures.table import read_ids, read_pictures, write_ids
from headstart.prediction.stored_views import StoredViews, read_views, write_views
from headstart.project.files import read_json, write_json
from headstart.project.located import UserPath
from tests.finished_project import IDS, PLAIN, write_project
from tests.saved_networks import save_networks
from tests.small_networks import small_network

DAMAGED = r"^\S+ is damaged: .+\. In a project, run `headstart verify --repair`, then `dvc repro`"


def _resized(folder: Path) -> Any:
    stored = ResizedPictures(folder)
    pictures = [stored.encoded(picture) for picture in stored.ids]
    return stored.ids, pictures, stored.sha256, stored.manifest


def _images(folder: Path) -> Any:
    images = ImageFolder(folder)
    return images.sha256, images.forms, images._root


READERS: dict[str, tuple[Callable[[Path], Any], int]] = {
    "data/0_source/backbone.safetensors": (read_safetensors, 0),
    "data/0_source/images/*": (_images, 1),
    "data/1_index/labels.parquet": (read_labels, 0),
    "data/1_index/pictures.parquet": (read_pictures, 0),
    "data/1_index/train_ids.parquet": (read_ids, 0),
    "data/2_resized/*": (_resized, 1),
    "data/3_activations/*/sizes.json": (read_activations, 1),
    "data/3_activations/*/*/*": (read_activations, 2),
    "data/4_checkpoints/*.safetensors": (read_checkpoint, 0),
    "data/5_predictions/views/*": (read_views, 1),
    "data/5_predictions/final.json": (read_json, 0),
    "data/5_predictions/*.parquet": (read_predictions, 0),
    "data/6_reports/find_lr_*.json": (read_json, 0),
}
"""Pattern of a path -> its reader, and how many folders above the file lies what the reader takes."""


def artifacts(root: Path) -> list[Path]:
    """The files below `root` that have a reader here, sorted."""
    found = sorted(file for file in (root / "data").rglob("*") if file.is_file())
    return [file for file in found if _reader(root, file)]


def content(root: Path, file: Path) -> bytes:
    """All that the reader of `file` gives.

    Raises:
        HeadstartError: the reader refuses the file.
    """
    reader = _reader(root, file)
    assert reader is not None, file
    read, n_above = reader
    return b"\n".join(_flat(read([file, *file.parents][n_above])))


def damages(data: bytes, n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield `n` random damages of `data`: one bit in two of three, else cut off at some byte."""
    draw = random.Random(seed)
    for number in range(n):
        at = draw.randrange(len(data))
        yield truncated(data, at) if number % 3 == 2 else flipped(data, at, draw.randrange(8))


def flipped(data: bytes, at: int, bit: int = 0) -> tuple[str, bytes]:
    """What is done, and `data` with one bit changed."""
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return f"bit {bit} of byte {at}", bytes(changed)


def truncated(data: bytes, at: int) -> tuple[str, bytes]:
    """What is done, and the first `at` bytes of `data`."""
    return f"cut off at {at}", data[:at]


def write_artifacts(root: Path, repo_root: Path) -> None:
    """A project of four pictures with an artifact of each kind."""
    write_project(root, repo_root)
    shutil.rmtree(root / "data/6_reports")
    pictures = root / "my pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(b"a picture")
    listed = ListedFile("a.jpg", pictures / "a.jpg", 9, "ab" * 32, "jpeg")
    write_images(root / "data/0_source/images", pictures, [listed], UserPath(pictures))
    tensors = small_network().backbone.model.state_dict()
    backbone = NamedTensors(tensors, {"architecture": "test_resnet"})
    write_tensors(root / "data/0_source/backbone.safetensors", backbone)
    write_ids(root / "data/1_index/train_ids.parquet", IDS[:1])
    networks = root / "networks"
    networks.mkdir()
    save_networks(networks)
    (root / "data/4_checkpoints").mkdir()
    for name in ("head", "net", "many"):
        shutil.move(networks / f"{name}.safetensors", root / "data/4_checkpoints")
    shutil.rmtree(networks)
    rows = pd.DataFrame({"id": IDS[1:], "split": ["valid", "valid", "test"]})
    views = {name: np.stack([PLAIN, PLAIN]) for name in ("head", "finetuned")}
    said = StoredViews(("cat", "eel"), "single_label", rows, views)
    write_views(root / "data/5_predictions/views", said)
    final = {"format": 3, "classes": ["cat", "eel"], "mean": [0.5, 0.5, 0.5]}
    write_json(root / "data/5_predictions/final.json", final, sealed=True)
    advice = {"lr": 0.01, "reason": "steepest"}
    write_json(root / "data/6_reports/find_lr_head.json", advice, sealed=True)


def _reader(root: Path, file: Path) -> tuple[Callable[[Path], Any], int] | None:
    path = file.relative_to(root).as_posix()
    return next((reader for pattern, reader in READERS.items() if fnmatch(path, pattern)), None)


def _flat(value: Any) -> Iterator[bytes]:
    """The leaves of nested values as bytes."""
    if isinstance(value, pd.DataFrame):
        yield value.to_json(orient="split").encode()
    elif isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.flatten().contiguous().view(-1).numpy().tobytes()
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode() + value.tobytes()
    elif hasattr(value, "model_dump") and not hasattr(value, "tensors"):
        yield json.dumps(value.model_dump(mode="json"), sort_keys=True).encode()
    elif hasattr(value, "model_dump"):
        yield from _flat((value.info, value.tensors))
    elif dataclasses.is_dataclass(value):
        yield from _flat([getattr(value, field.name) for field in dataclasses.fields(value)])
    elif hasattr(value, "items"):
        yield from _flat(sorted(value.items()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _flat(one)
    else:
        yield value if isinstance(value, bytes) else repr(value).encode()
