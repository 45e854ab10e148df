"""The forms of predictions that `tests/commands/test_predict.py` does not reach."""

from pathlib import Path

import numpy as np
import pytest

from headstart.commands.prediction_outputs import Result, Table, csv_file, separator_of
from headstart.indexing.label_table import Separator, labels_by_id
from headstart.indexing.table_file import read_table
from headstart.network.checkpoints import read_checkpoint
from headstart.use.classifier import Classifier
from tests.saved_networks import save_networks


def test_a_table_names_the_class_that_costs_decide_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_networks(tmp_path)
    info = read_checkpoint(tmp_path / "net.safetensors").info
    costs = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (9.0, 9.0, 0.0))
    results = [Result("a.png", np.array([0.6, 0.1, 0.3])), Result("b.png", np.array([0.9, 0.1, 0]))]
    Table(Classifier(info.model_copy(update={"costs": costs}), []), ["a.png"]).write(results)
    assert capsys.readouterr().out == (
        "picture  decided    1st        2nd        3rd\n"
        "a.png    eel        cat 0.600  eel 0.300  dog 0.100\n"
        "b.png    cat        cat 0.900  dog 0.100  eel 0.000\n"
    )


def test_a_table_of_many_labels_names_the_likeliest_where_none_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_networks(tmp_path)
    info = read_checkpoint(tmp_path / "many.safetensors").info
    thresholds = {"plain": (0.5, 0.2, 0.3)}
    classifier = Classifier(info.model_copy(update={"thresholds": thresholds}), [])
    results = [
        Result("a.png", np.array([0.6, 0.1, 0.9])),
        Result("a longer name.png", np.array([0.4, 0.1, 0.2])),
    ]
    Table(classifier, [result.name for result in results]).write(results)
    assert capsys.readouterr().out == (
        "picture            labels\n"
        "a.png              eel 0.900  cat 0.600\n"
        "a longer name.png  none (likeliest: cat 0.400)\n"
    )


@pytest.mark.parametrize(
    ("classes", "separator", "key"),
    [
        (("cat", "dog;s", "eel"), " ", "space"),
        (("Pleural Effusion", "dog", "eel"), ";", "semicolon"),
        (("Pleural Effusion", "dog;s", "eel"), "|", "pipe"),
        (("Pleural Effusion", "dog;s", "e|l"), ",", "comma"),
    ],
)
def test_labels_in_csv_can_be_told_apart(
    tmp_path: Path, classes: tuple[str, ...], separator: str, key: Separator
) -> None:
    save_networks(tmp_path)
    info = read_checkpoint(tmp_path / "many.safetensors").info
    changed = {"classes": classes, "thresholds": {"plain": (0.5, 0.5, 0.5)}}
    with csv_file(Classifier(info.model_copy(update=changed), []), tmp_path / "a.csv") as output:
        output.write([Result("a.png", np.array([0.9, 0.9, 0.9])), Result("b.png", np.zeros(3))])
    table = read_table((tmp_path / "a.csv").read_bytes(), "a.csv")
    assert table.rows[0].cells[1] == separator.join(classes)
    read = labels_by_id(table, "picture", "labels", several=True, separator=key).labels
    assert read == {"a.png": {tuple(sorted(classes))}, "b.png": {()}}


def test_where_classes_have_every_separator_a_tab_is_between_labels() -> None:
    assert separator_of(["a b", ";|,"]) == "\t"
