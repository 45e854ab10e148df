"""The results of a project as data frames, for a notebook."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from headstart.activations.stored import read_activations
from headstart.evaluation.predictions import Kind, read_predictions
from headstart.labels.labels import Labels, read_labels
from headstart.pictures.resized import ResizedPictures
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json
from headstart.project.yaml_file import read_yaml
from headstart.scores.thresholds import decide

PIPELINE = "dvc.yaml"
Cached = Literal["plain", "views"]


class CachedFeatures(NamedTuple):
    """What the frozen backbone gives for each picture.

    Attributes:
        rows: N rows: id, path, split, labels (list of str; None: not labelled).
        array: (N, D) float32 of the plain view, or (V, N, D) of V augmented views; memory-mapped.
    """

    rows: pd.DataFrame
    array: NDArray[np.float32]


@dataclass(frozen=True)
class Project:
    """A folder with a dvc.yaml of headstart, whose stages have run.

    Each method reads the files that dvc.yaml names, and changes nothing.

    Attributes:
        root: the folder that holds dvc.yaml.
    """

    root: str | Path = "."

    def predictions(self, kind: Kind = "plain") -> pd.DataFrame:
        """What the final network says of each picture of valid and test.

        Args:
            kind: plain, or tta for the mean over augmented views.

        Returns:
            N rows, sorted by (split, id). Columns: id, path, split; labels (list of str; None: not
            labelled); predicted (list of str: one class, or the labels that reach their thresholds);
            p_<class>, K probabilities in [0, 1].

        Raises:
            HeadstartError: `kind` is neither, or the stage has not run.
        """
        _require_one_of("kind", kind, get_args(Kind))
        said = read_predictions(self.file("tta-evaluate", "--predictions"))
        values, classes = said.probabilities(kind), said.classes
        if said.task == "multi_label":
            decided = decide(values, said.thresholds[kind])
        else:
            decided = values.argmax(axis=1)[:, None] == np.arange(len(classes))  # (N, K)
        table, path_of = said.table, self._path_of
        known = [
            None if numbers is None else [classes[k] for k in numbers]
            for numbers in table["targets"]
        ]
        chosen = [[classes[k] for k in row.nonzero()[0]] for row in decided]
        columns: dict[str, Any] = {
            "id": table["id"],
            "path": [path_of[picture] for picture in table["id"]],
            "split": table["split"],
            "labels": pd.Series(known, dtype=object),
            "predicted": pd.Series(chosen, dtype=object),
        }
        columns |= {f"p_{name}": values[:, k] for k, name in enumerate(classes)}
        return pd.DataFrame(columns)

    def picture(self, picture: str) -> Image.Image:
        """A picture as it is stored: RGB, upright, small.

        Args:
            picture: its id, as the tables here have it.

        Raises:
            HeadstartError: the stage has not run.
            KeyError: it has no picture of this id.
        """
        return ResizedPictures(self.file("resize", "--resized")).decode(picture)

    def epochs(self) -> pd.DataFrame:
        """The epochs of all training stages that have run, in the order of dvc.yaml.

        Returns:
            a row an epoch: stage, epoch, and the other columns of the stages' CSVs (lr, train_loss,
            valid_loss, valid_score, ...).

        Raises:
            HeadstartError: no training stage has run.
        """
        tables = []
        for name, stage in self._stages.items():
            for path in stage.given("--epochs"):
                if path in stage.outs and (self._root / path).is_file():
                    table = pd.read_csv(self._root / path)
                    table.insert(0, "stage", name)
                    tables.append(table)
        if not tables:
            raise HeadstartError(f"{self._root} has no epochs yet: run `dvc repro`.")
        return pd.concat(tables, ignore_index=True)

    def scores(self) -> pd.DataFrame:
        """The scores of each checkpoint on valid and test, with their intervals.

        Returns:
            a row for each checkpoint, split and kind (plain or tta): checkpoint, split, kind,
            n_pictures, and each score beside the ends of its interval (accuracy, accuracy_ci_low,
            accuracy_ci_high, log_loss, ...). What a class has of its own (recall) is left out.

        Raises:
            HeadstartError: the stage has not run.
        """
        scores = read_json(self.file("tta-evaluate", "--metrics"))
        rows = [
            {"checkpoint": name, "split": split, "kind": kind, **_numbers(of_kind)}
            for name, of_name in scores.get("checkpoints", {}).items()
            for split, of_split in of_name.items()
            for kind, of_kind in of_split.items()
        ]
        return pd.DataFrame(rows)

    def activations(self, view: Cached = "plain", size_px: int | None = None) -> CachedFeatures:
        """The cached features of all pictures (plain) or of the pictures of train (views).

        Args:
            view: plain, or views for the augmented ones.
            size_px: of the network input, one of backbone.cached_px; None: the first of them.

        Returns:
            rows and array, in the same order, sorted by id.

        Raises:
            HeadstartError: `view` is neither, the stage has not run, or the size is not cached.
        """
        _require_one_of("view", view, get_args(Cached))
        stage = {"plain": "precompute-activations", "views": "precompute-views"}[view]
        sizes = read_activations(self.file(stage, "--activations"))
        found = sizes.first() if size_px is None else sizes.at(size_px, "size_px")
        labels = self._labels.table.set_index("id").loc[list(found.ids)]
        path_of = self._path_of
        rows = pd.DataFrame(
            {
                "id": list(found.ids),
                "path": [path_of[picture] for picture in found.ids],
                "split": labels["split"].tolist(),
                "labels": pd.Series(labels["labels"].tolist(), dtype=object),
            }
        )
        return CachedFeatures(rows, found.features[0] if view == "plain" else found.features)

    def file(self, stage: str, option: str) -> Path:
        """The path that a stage is given by `option`; of several the last, which is the final one.

        Raises:
            HeadstartError: dvc.yaml has no such stage or option, or the stage has not run.
        """
        found = self._stages[stage].given(option) if stage in self._stages else []
        if not found:
            raise HeadstartError(f"{self._root / PIPELINE} has no stage {stage} with {option}.")
        path = self._root / found[-1]
        if not path.exists():
            raise HeadstartError(f"{path} does not exist: run `dvc repro {stage}`.")
        return path

    @property
    def _root(self) -> Path:
        return Path(self.root)

    @property
    def _stages(self) -> Mapping[str, "_Stage"]:
        try:
            stages = read_yaml(self._root / PIPELINE)["stages"]
        except FileNotFoundError:
            raise HeadstartError(
                f"{self._root.resolve()} has no {PIPELINE}: name the folder of a project."
            ) from None
        return {name: _Stage.of(entry) for name, entry in stages.items()}

    @property
    def _path_of(self) -> Mapping[str, str]:
        """id -> the first path of each picture, relative to the folder of pictures."""
        return dict(first_paths(read_pictures(self.file("index-images", "--pictures"))))

    @property
    def _labels(self) -> Labels:
        index = "index-images"
        return read_labels(self.file(index, "--labels"), self.file(index, "--test-labels"))


class _Stage(NamedTuple):
    """The words of a stage's command, and the paths that it writes."""

    words: Sequence[str]
    outs: frozenset[str]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "_Stage":
        """Read an entry of dvc.yaml."""
        outs = [*entry.get("outs", []), *entry.get("plots", []), *entry.get("metrics", [])]
        paths = (out if isinstance(out, str) else next(iter(out)) for out in outs)
        return cls(shlex.split(entry["cmd"]), frozenset(paths))

    def given(self, option: str) -> list[str]:
        """The paths behind `option`, in their order."""
        return [path for word, path in pairwise(self.words) if word == option]


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not isinstance(value, Mapping)}


def _require_one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise HeadstartError(f"{name} is {value!r}; it must be {' or '.join(allowed)}.")
