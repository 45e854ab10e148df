"""The results of a project as data frames, for a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from headstart.activations.stored import read_activations
from headstart.evaluation.predictions import Kind, read_predictions
from headstart.labels.labels import read_labels
from headstart.pictures.resized import ResizedPictures
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json
from headstart.project.yaml_file import read_yaml
from headstart.scores.thresholds import decide
from headstart.use.stage_commands import as_list, given

PIPELINE, INDEX = "dvc.yaml", "index-images"
Cached = Literal["plain", "views"]
T = TypeVar("T")


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
            labelled); predicted (list of str: the likeliest class, or the labels that reach their
            thresholds); p_<class>, K probabilities in [0, 1]. `predicted` is what the scores count;
            where there are costs (tta_evaluate.costs), they decide in `Classifier`, not here.

        Raises:
            HeadstartError: `kind` is neither, the stage has not run, or the index lacks a picture.
        """
        _require_one_of("kind", kind, get_args(Kind))
        stage = "tta-evaluate"
        said = read_predictions(self.file(stage, "--predictions"))
        values, classes = said.probabilities(kind), said.classes
        if said.task == "multi_label":
            decided = decide(values, said.thresholds[kind])
        else:
            decided = values.argmax(axis=1)[:, None] == np.arange(len(classes))  # (N, K)
        table = said.table
        known = [
            None if numbers is None else [classes[k] for k in numbers]
            for numbers in table["targets"]
        ]
        chosen = [[classes[k] for k in row.nonzero()[0]] for row in decided]
        columns: dict[str, Any] = {
            "id": table["id"],
            "path": self._paths(table["id"].tolist(), stage),
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
            for path in given(stage.command, "--epochs"):
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
            HeadstartError: `view` is neither, the stage has not run, the size is not cached, or the
                index lacks a picture.
        """
        _require_one_of("view", view, get_args(Cached))
        stage = {"plain": "precompute-activations", "views": "precompute-views"}[view]
        sizes = read_activations(self.file(stage, "--activations"))
        found = sizes.first() if size_px is None else sizes.at(size_px, "size_px")
        ids = list(found.ids)
        told = self._splits_and_labels(ids, stage)
        rows = pd.DataFrame(
            {
                "id": ids,
                "path": self._paths(ids, stage),
                "split": [split for split, _ in told],
                "labels": pd.Series([labels for _, labels in told], dtype=object),
            }
        )
        return CachedFeatures(rows, found.features[0] if view == "plain" else found.features)

    def file(self, stage: str, option: str) -> Path:
        """The path that a stage is given by `option`; of several the last, which is the final one.

        Raises:
            HeadstartError: dvc.yaml has no such stage or option, or the stage has not run.
        """
        found = given(self._stages[stage].command, option) if stage in self._stages else []
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
        path = self._root / PIPELINE
        try:
            content = read_yaml(path)
        except FileNotFoundError:
            raise HeadstartError(
                f"{self._root.resolve()} has no {PIPELINE}: name the folder of a project, or work in "
                "one."
            ) from None
        stages = content.get("stages") if isinstance(content, Mapping) else None
        if not isinstance(stages, Mapping):
            raise HeadstartError(f"{path} has no stages: name the folder of a project.")
        return {name: _Stage.of(entry) for name, entry in stages.items()}

    def _paths(self, ids: Sequence[str], stage: str) -> list[str]:
        """The first path of each picture, relative to the folder of pictures.

        Raises:
            HeadstartError: index-images has not run, or lacks a picture that `stage` had.
        """
        file = self.file(INDEX, "--pictures")
        return _each(ids, dict(first_paths(read_pictures(file))), file, stage)

    def _splits_and_labels(
        self, ids: Sequence[str], stage: str
    ) -> list[tuple[str, list[str] | None]]:
        """The split and the labels of each picture; raises as `_paths`."""
        file = self.file(INDEX, "--labels")
        table = read_labels(file, self.file(INDEX, "--test-labels")).table
        told = zip(table["split"], table["labels"], strict=True)
        return _each(ids, dict(zip(table["id"], told, strict=True)), file, stage)


class _Stage(NamedTuple):
    """A stage's command as dvc.yaml has it, and the paths that it writes."""

    command: object
    outs: frozenset[str]

    @classmethod
    def of(cls, entry: object) -> "_Stage":
        """Read an entry of dvc.yaml; what is in no form of headstart's stages has neither."""
        if not isinstance(entry, Mapping):
            return cls(None, frozenset())
        outs = [
            out if isinstance(out, str) else next(iter(out), "")
            for key in ("outs", "plots", "metrics")
            for out in as_list(entry.get(key))
            if isinstance(out, str | Mapping)
        ]
        return cls(entry.get("cmd"), frozenset(map(str, outs)))


def _each(ids: Sequence[str], known: Mapping[str, T], file: Path, stage: str) -> list[T]:
    """What is known of each picture, in the order of `ids`.

    Args:
        ids: of pictures that `stage` had.
        known: by id.
        file: where it is from.
        stage: which must run again where `file` lacks one of them.

    Raises:
        HeadstartError: it lacks one.
    """
    if missing := [picture for picture in ids if picture not in known]:
        raise HeadstartError(
            f"{file} lacks {len(missing)} of {len(ids)} pictures of {stage}, such as {missing[0]!r}: "
            f"run `dvc repro {stage}`."
        )
    return [known[picture] for picture in ids]


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not isinstance(value, Mapping)}


def _require_one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise HeadstartError(f"{name} is {value!r}; it must be {' or '.join(allowed)}.")
