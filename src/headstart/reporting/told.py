"""Reads what the stages told about a run, for the report."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from headstart.evaluation.predictions import Predictions
from headstart.project.files import read_json
from headstart.project.params import PARAMS_FILE, read_params
from headstart.reporting.course import Course
from headstart.reporting.facts import Told


def by_stage(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """The content of JSON files by their names, without the suffix."""
    return {path.stem: read_json(path) for path in paths}


def read_course(paths: Sequence[Path], fine_tuning: Mapping[str, Any]) -> Course:
    """The course of the training.

    Args:
        paths: CSV of each range test and training, named by its stage; a range test also has a JSON,
            its suggestion
        fine_tuning: metrics of unfreeze_finetune
    """
    suggestions = by_stage(path for path in paths if path.suffix == ".json")
    tables = {path.stem: pd.read_csv(path) for path in paths if path.suffix == ".csv"}
    curves = {stage: table for stage, table in tables.items() if stage in suggestions}
    epochs = {stage: table for stage, table in tables.items() if stage not in suggestions}
    return Course(curves, suggestions, epochs, fine_tuning)


def read_told(
    values: Mapping[str, Any],
    predictions: Sequence[Predictions],
    pictures: pd.DataFrame,
    problems: Path,
    recipes: Path,
    records: Iterable[Path],
) -> Told:
    """What the written parts of the report are made of; params.yaml is read too.

    Args:
        values: by name: metrics of index_images, fetch_weights, unfreeze_finetune and tta_evaluate;
            final: what the final checkpoint says about itself
        predictions: of checkpoints in the recipe's order, the final one last
        pictures: pictures.parquet
        problems: problems.csv
        recipes: folder of params files; without it there is nothing to compare with
        records: of the stages' runs
    """
    return Told(
        params=read_params(),
        params_text=PARAMS_FILE.read_text(encoding="utf-8"),
        recipes={path.name: read_params(path) for path in sorted(recipes.glob("*.yaml"))},
        index=values["index_images"],
        weights=values["fetch_weights"],
        scores=values["tta_evaluate"],
        fine_tuning=values["unfreeze_finetune"],
        about=values["final"],
        pictures=pictures,
        problems=pd.read_csv(problems, dtype=str, keep_default_na=False),
        predictions=predictions,
        records=[read_json(path) for path in records],
    )
