"""An index of a few small pictures, for tests of index-images."""

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.image_files.forms import form_of
from headstart.indexing.index import Index
from headstart.indexing.params import IndexImagesParams
from headstart.kept.once import Known
from headstart.project.report import Silent
from headstart.steps.index_images import index_images

Files = dict[str, bytes]


def picture(number: int, form: str = "PNG", **options: object) -> bytes:
    """A picture unlike that of any other number, 6 px wide and 4 high."""
    values = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, form, **options)
    return buffer.getvalue()


def id_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def index(files: Files, earlier: Known | None = None, **changed: Any) -> Index:
    values: dict[str, Any] = {
        "labels": "folders", "id_column": "id", "label_column": "label", "label_separator": "auto",
        "id_suffix": ".png", "csv_folder": "", "name_regex": "", "task": "single_label",
        "split": "given", "valid_frac": 0.2, "test_frac": 0.2, "n_folds": 0, "fold": 0, "seed": 0,
        "group_regex": "", "group_column": "", "n_max_per_class": 0, "near_duplicates": "together",
        "on_problem": "stop", "corrections": {},
    }  # fmt: skip
    params = IndexImagesParams(**(values | changed))
    sha256 = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    forms = {path: form_of(data) for path, data in files.items()}
    return index_images(files, sha256, forms, params, Silent(), earlier)


def table(**columns: list[str]) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(row) for row in rows)]).encode()


TABLE: dict[str, Any] = {"labels": "labels.csv", "csv_folder": "train", "split": "stratified"}


@pytest.fixture
def given() -> Files:
    """Three splits of two classes."""
    numbers = iter(range(100))
    return {
        f"{split}/{name}/{i}.png": picture(next(numbers))
        for split, n in (("train", 5), ("valid", 2), ("test", 1))
        for name in ("cats", "dogs")
        for i in range(n)
    }


@pytest.fixture
def one_level() -> Files:
    return {
        f"{name}/{i}.png": picture(10 * k + i) for k, name in enumerate("ab") for i in range(10)
    }


@pytest.fixture
def with_table() -> Files:
    files = {f"train/{i}.png": picture(i) for i in range(20)}
    files["labels.csv"] = table(
        id=[str(i) for i in range(20)], label=["golden retriever", "pug"] * 10
    )
    return files
