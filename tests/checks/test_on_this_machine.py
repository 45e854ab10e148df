"""Sources, tables and weights that params.yaml names and that are not there."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from headstart.checks.on_this_machine import missing_here
from headstart.project.params import PARAMS_FILE, read_params
from tests.indexed import picture
from tests.parquets import write_parquet

ROOT = Path(__file__).parents[2]
RIGHT = read_params(ROOT / "params.yaml")


@pytest.fixture(autouse=True)
def _in_the_repo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def found(changes: dict[str, Any], absent: bool = True) -> list[str]:
    values = deepcopy(RIGHT)
    for key, value in changes.items():
        section, _, name = key.partition(".")
        values[section][name] = value
    lines = list(missing_here(values, PARAMS_FILE, absent))
    assert all(line.startswith("params.yaml: ") and "\n" not in line for line in lines)
    return [line.removeprefix("params.yaml: ") for line in lines]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "train").mkdir(parents=True)
    (folder / "labels.csv").touch()
    return folder


def test_the_default_is_all_there() -> None:
    assert found({}) == []


def test_a_missing_key_or_a_wrong_one_is_not_told_twice() -> None:
    assert list(missing_here({"dataset": 3, "backbone": {"weights": 4}}, PARAMS_FILE, True)) == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("/no/such/folder", "dataset.source is '/no/such/folder', which is not a folder."),
        ("~/pictures", "dataset.source is '~/pictures', whose ~ is not expanded: write /"),
        ("~no-one/p", "dataset.source is '~no-one/p', whose ~ is not expanded; dataset.source must be"),
        ("pictures", "dataset.source is 'pictures', which names no source; dataset.source must be"),
        ("sources/none.yaml", "dataset.source is 'sources/none.yaml', which names no source; dataset"),
        ("https://a.b/c.zip", "dataset.source is 'https://a.b/c.zip', a URL: write it, with its size"),
    ],
)  # fmt: skip
def test_a_source_that_is_not_there(source: str, sentence: str) -> None:
    [line] = found({"dataset.source": source})
    assert line.startswith(sentence)
    assert found({"dataset.source": source}, absent=False) == []


def test_pictures_of_a_table_may_lie_in_any_folder(pictures: Path) -> None:
    table = {"index_images.labels": "labels.csv", "index_images.csv_folder": "*"}
    assert found({"dataset.source": str(pictures)} | table) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"index_images.labels": "lables.csv"}, "index_images.labels is 'lables.csv'"),
        ({"index_images.labels": "train"}, "index_images.labels is 'train'"),
        (
            {"index_images.labels": "labels.csv", "index_images.csv_folder": "trian"},
            "index_images.csv_folder is 'trian'",
        ),
        (
            {"index_images.labels": "labels.csv", "index_images.csv_folder": "tr*"},
            "index_images.csv_folder is 'tr*'",
        ),
        ({"write_submission.sample": "s.csv"}, "write_submission.sample is 's.csv'"),
        ({"write_submission.sample": "*.csv"}, "write_submission.sample is '*.csv'"),
    ],
)
@pytest.mark.parametrize("absent", [True, False])
def test_what_is_missing_below_a_source_that_is_there(
    pictures: Path, changes: dict[str, Any], sentence: str, absent: bool
) -> None:
    kind = "folder" if "csv_folder" in sentence else "file"
    assert found({"dataset.source": str(pictures)} | changes, absent) == [
        f"{sentence}, but dataset.source ({pictures}) has no such {kind}."
    ]


def test_what_is_there_below_a_source(pictures: Path) -> None:
    names = {"labels": "labels.csv", "csv_folder": "train"}
    changes = {f"index_images.{key}": name for key, name in names.items()}
    changes |= {"dataset.source": str(pictures), "write_submission.sample": "labels.csv"}
    assert found(changes) == []
    (pictures / "train/metadata.csv").touch()
    assert found(changes | {"index_images.labels": "*/metadata.csv"}) == []
    [line] = found(changes | {"index_images.labels": "*/metadata.jsonl"})
    assert line.startswith("index_images.labels is '*/metadata.jsonl', but dataset.source")
    for other in ("folders", "names"):
        assert found({"index_images.labels": other, "index_images.csv_folder": "of no table"}) == []


def test_a_star_means_what_it_means_to_index_images(pictures: Path) -> None:
    for name in ("Set [v2]/train/metadata.csv", "deep/er/still/metadata.csv", ".cache/all.csv"):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).touch()
    here = {"dataset.source": str(pictures)}
    for labels in ("Set [v2]/*/metadata.csv", "Set*/t**n/**.csv", "**/*/metadata.csv"):
        assert found(here | {"index_images.labels": labels}) == []
    for labels in ("deep/**/metadata.csv", "Set [v]*/train/*", "*/all.csv", "./*.csv", "*/train"):
        [line] = found(here | {"index_images.labels": labels})
        assert line.startswith(f"index_images.labels is {labels!r}, but dataset.source (")


def test_a_path_out_of_the_folder_is_left_to_the_check_of_its_section(pictures: Path) -> None:
    here = {"dataset.source": str(pictures)}
    for key in ("index_images.labels", "write_submission.sample"):
        assert found(here | {key: f"{pictures}/*/metadata.csv"}) == []
        assert found(here | {key: "../*.csv"}) == []


def test_what_an_archive_would_not_keep() -> None:
    planet = {"dataset.source": "sources/planet_sample.yaml", "index_images.csv_folder": "train"}
    assert found(planet | {"index_images.labels": "labels.csv"}) == []
    assert found(planet | {"index_images.labels": "*/labels.csv"}) == []
    [line] = found(planet | {"index_images.labels": "train_classes.csv"})
    assert "but dataset.source (sources/planet_sample.yaml) has no such file" in line


def test_what_an_archive_of_the_users_holds_is_found_out_later(tmp_path: Path) -> None:
    (tmp_path / "p.zip").touch()
    changes = {"dataset.source": str(tmp_path / "p.zip"), "index_images.labels": "labels.csv"}
    assert found(changes) == []


def test_pictures_inside_parquet_files_bring_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").touch()
    write_parquet(tmp_path / "train.parquet", [picture(0)], label=["cat"])
    assert found({"dataset.source": str(tmp_path)}) == []
    [line] = found({"dataset.source": str(tmp_path), "write_submission.sample": "sample.csv"})
    assert line.startswith("write_submission.sample is 'sample.csv', but dataset.source (")
    write_parquet(tmp_path / "train.parquet", [picture(0)], breed=["cat"])
    [line] = found({"dataset.source": str(tmp_path)})
    assert line.startswith("dataset.source: ") and line.endswith("Call it label in all files.")


def test_a_package_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources").mkdir()
    for name, old in (("textile", "conformal-clip-data"), ("efficientnet-lite0", "efficientnet-")):
        text = (ROOT / f"sources/{name}.yaml").read_text()
        (tmp_path / f"sources/{name}.yaml").write_text(text.replace(old, f"no-such-{old}"))
    monkeypatch.chdir(tmp_path)
    pictures, weights = found({})
    assert pictures == (
        "dataset.source: the package no-such-conformal-clip-data is not installed: pip install "
        "no-such-conformal-clip-data==0.1.4"
    )
    assert weights.startswith("backbone.weights: the package no-such-efficientnet-lite0-pytorch")
    assert found({}, absent=False) == []


def test_weights_of_another_network(tmp_path: Path) -> None:
    [line] = found({"backbone.name": "resnet34"})
    assert line == (
        "backbone.weights is 'sources/efficientnet-lite0.yaml', which holds weights of "
        "tf_efficientnet_lite0, but backbone.name is 'resnet34'."
    )
    mine = tmp_path / "mine.safetensors"
    save_file({"a": np.zeros(3)}, mine, metadata={"architecture": "resnet50"})
    [line] = found({"backbone.name": "resnet34", "backbone.weights": str(mine)})
    assert "which holds weights of resnet50, but backbone.name is 'resnet34'" in line
    for name in ("resnet50", "resnet50.a1_in1k"):
        assert found({"backbone.name": name, "backbone.weights": str(mine)}) == []


def test_weights_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    [line] = found({"backbone.weights": "/no/such.pth"})
    assert line == "backbone.weights is '/no/such.pth', which is not a file."
    damaged = tmp_path / "mine.safetensors"
    damaged.write_bytes(b"no weights")
    [line] = found({"backbone.weights": str(damaged)})
    assert "mine.safetensors', which is damaged: " in line
