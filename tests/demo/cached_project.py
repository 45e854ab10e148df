"""A project of five pictures whose plain activations are those of a small real backbone."""

import shutil
from pathlib import Path

import pandas as pd
import torch

from headstart import Project
from headstart.activations.computed import write_activations
from headstart.activations.frozen import FrozenBackbone
from headstart.activations.stored import read_activations
from headstart.backbone.backbone import Backbone, load_backbone
from headstart.backbone.device import PLAIN_CPU, Compute
from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.labels.labels import Labels, write_labels, write_test_labels
from headstart.network.checkpoints import CheckpointInfo
from headstart.pictures.resized import ResizedPictures, write_resized
from headstart.pictures.table import write_pictures
from headstart.project.report import Silent
from headstart.steps.precompute_activations import precompute_activations
from headstart.views.pictures import Pictures
from tests.exporting.checkpoints import small_info
from tests.small_networks import FORM, SIZE, SQUARE, StoredPictures, small_backbone

IDS = ["0", "1", "2", "3", "4"]
LABELS = [["cat"], ["dog"], ["cat"], ["dog"], None]
SPLIT = ["train", "train", "train", "valid", "train"]


def cached_project(
    root: Path, repo_root: Path, other_weights: bool = False
) -> tuple[Project, Compute]:
    """Results of index-images, resize, fetch-weights and precompute-activations.

    other_weights: whether the backbone was replaced after its activations were computed.
    """
    shutil.copy(repo_root / "dvc.yaml", root)
    (root / "data/0_source").mkdir(parents=True)
    write_index(root)
    source, weights = StoredPictures(), root / "data/0_source/backbone.safetensors"
    manifest = FORM.model_dump(exclude_none=True)
    write_resized(root / "data/2_resized", ((i, source.encoded(i)) for i in IDS), manifest)
    _write_backbone(weights, small_backbone())
    stored, backbone = ResizedPictures(root / "data/2_resized"), load_backbone(weights)
    pictures = Pictures.of(stored, SIZE, SQUARE, torch.device("cpu"))
    frozen = FrozenBackbone(backbone.on(PLAIN_CPU), pictures, Silent())
    made = precompute_activations(frozen, stored.ids, stored.digest)
    write_activations(root / "data/3_activations/plain", SIZE, [made])
    if other_weights:
        backbone = small_backbone()
        with torch.no_grad():
            next(backbone.model.parameters()).add_(1)
        _write_backbone(weights, backbone)
    return Project(root), PLAIN_CPU


def _write_backbone(path: Path, backbone: Backbone) -> None:
    tensors = backbone.model.state_dict()
    write_tensors(path, NamedTensors(tensors, backbone.metadata()))


def write_index(root: Path, without: str = "", classes: tuple[str, ...] = ("cat", "dog")) -> None:
    """Results of index-images, of all pictures but one."""
    (root / "data/1_index").mkdir(exist_ok=True)
    known = [number for number, picture in enumerate(IDS) if picture != without]
    pictures = pd.DataFrame({"id": IDS, "paths": [[f"{i}.png"] for i in IDS]}).assign(
        width=48, height=40
    )
    write_pictures(root / "data/1_index/pictures.parquet", pictures.iloc[known])
    table = pd.DataFrame({"id": IDS, "labels": LABELS, "split": SPLIT, "group": IDS}).iloc[known]
    labels = Labels(table.reset_index(drop=True), classes, "single_label")
    write_labels(root / "data/1_index/labels.parquet", labels)
    write_test_labels(root / "data/1_index/test_labels.parquet", labels)


def info_of_cached(project: Project) -> CheckpointInfo:
    """What the checkpoint of a network says that was trained in this project."""
    cached = read_activations(project.file("precompute-activations", "--activations")).first()
    return small_info(classes=("cat", "dog"), weights=cached.manifest.weights)
