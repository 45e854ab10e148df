"""What the report reads of the other stages."""

from pathlib import Path

import pandas as pd
import pytest

from headstart.project.files import write_csv, write_json, write_text
from headstart.reporting.told import by_stage, read_course, read_told


def test_a_range_test_has_a_suggestion_and_a_training_has_none(tmp_path: Path) -> None:
    table = pd.DataFrame({"lr": [0.5]})
    paths = [tmp_path / name for name in ("find_lr_head.csv", "train_head.csv")]
    for path in paths:
        write_csv(path, table)
    suggestion = tmp_path / "find_lr_head.json"
    write_json(suggestion, {"lr": 0.5, "reason": "steepest"})
    course = read_course([*paths, suggestion], {"kept_epoch": 1})
    assert list(course.curves) == list(course.suggestions) == ["find_lr_head"]
    assert list(course.epochs) == ["train_head"] and course.epochs["train_head"].equals(table)
    assert course.fine_tuning == {"kept_epoch": 1}


def test_names_in_a_table_stay_text_and_recipes_are_optional(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "params.yaml", "# mine\nhead: {hidden_units: 5}\n")
    write_text(tmp_path / "problems.csv", "path,problem,detail\n007,NA,\n")
    names = ("index_images", "fetch_weights", "unfreeze_finetune", "tta_evaluate", "final")
    for name in names:
        write_json(tmp_path / f"{name}.json", {"name": name})
    values = by_stage(tmp_path / f"{name}.json" for name in names)
    told = read_told(
        values,
        [],
        pd.DataFrame(),
        tmp_path / "problems.csv",
        tmp_path / "none",
        [tmp_path / "final.json"],
    )
    assert told.problems.to_numpy().tolist() == [["007", "NA", ""]]
    assert told.params == {"head": {"hidden_units": 5}} and told.params_text.startswith("# mine")
    assert (told.recipes, told.records) == ({}, [{"name": "final"}])
    said = (told.index, told.weights, told.fine_tuning, told.scores, told.about)
    assert [one["name"] for one in said] == list(names)
