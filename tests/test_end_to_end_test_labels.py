"""Labels of test reach the scores of test and what shows them, and nothing else.

A set of generated pictures has its labels in a table, so that other labels change no path. At last,
versions are pinned in the same project.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from headstart.evaluation.predictions import Predictions, read_predictions
from headstart.labels.labels import read_labels
from tests.contract import ALWAYS
from tests.test_end_to_end_recipes import generated, write_rows
from tests.whole_project import Project

pytestmark = pytest.mark.end_to_end

N_OF_SPLIT = {"train": 18, "valid": 12, "test": 12}
MAY_DIFFER = {
    "data/0_source/pictures.json",  # says what the folder of the pictures holds
    "data/0_source/images/files.parquet",  # lists the table of labels with its digest
    "data/0_source/images/source.json",  # names their folder; another clone has another
    "data/1_index/test_labels.parquet",
    "data/5_predictions/head.parquet",  # these three hold the labels beside the probabilities
    "data/5_predictions/augmented.parquet",
    "data/5_predictions/predictions.parquet",
    "metrics/tta_evaluate.json",
    "scores.json",
    "data/6_reports/report.html",
    "data/6_reports/reliability.csv",
    "data/6_reports/label_audit.csv",  # judges all labels, and nothing is chosen by it
    "metrics/audit_labels.json",
    "state.json",  # the digest of all metrics
}
RECORDS = "data/7_runs/"  # when each stage ran, and as which run of MLflow
READ_LABELS_OF_TEST = {
    *("audit-labels", "tta-evaluate"),
    *("confusion-report", "write-submission", "publish-run"),
}
READ_THE_LIST = {"fetch-images", "index-images", "resize"}  # the table is one of its files

Labels = list[str]  # of each picture of test, as its cell in the table


def said_of(task: str) -> dict[str, Labels]:
    """The cells of the pictures of each split, by their colour and, with several labels, more."""
    names = ["grass", "sky", "rust"]
    if task == "single_label":
        return {split: [names[i % 3] for i in range(n)] for split, n in N_OF_SPLIT.items()}
    more = ["", " road", " road mine", " mine"]
    return {
        split: [f"{names[i % 3]}{more[i % 4]}" for i in range(n)] for split, n in N_OF_SPLIT.items()
    }


def write_table(project: Project, said: Mapping[str, Labels]) -> None:
    rows = [(f"{split}/{i}", cell) for split, of in said.items() for i, cell in enumerate(of)]
    write_rows(project.pictures / "labels.csv", ("id", "label"), rows)


def make_project(folder: Path, task: str, said: Mapping[str, Labels]) -> Project:
    project = Project(folder, Path(__file__).parents[1])
    for k, (split, n) in enumerate(N_OF_SPLIT.items()):
        (project.pictures / split).mkdir(parents=True)
        for i in range(n):
            generated(100 * k + i, i % 3).save(project.pictures / split / f"{i}.png")
    write_table(project, said)
    values: dict[str, Any] = {
        "dataset.source": str(project.pictures),
        "index_images.labels": "labels.csv", "index_images.id_suffix": ".png",
        "index_images.split": "given", "index_images.task": task,
    }  # fmt: skip
    if task == "multi_label":  # all that may be chosen: thresholds, snapshots, a rate
        values |= {
            "tta_evaluate.thresholds": "per_label", "write_submission.form": "tags",
            "unfreeze_finetune.n_snapshots": 1, "predict_views.snapshots": True,
            "train_head.lr": "auto", "find_lr_head.n_iter": 60,
        }  # fmt: skip
    project.quicken(values)
    return project


def run(project: Project) -> set[str]:
    with project.without_mlflow():
        return project.repro()


def results_in(project: Project) -> dict[str, bytes]:
    """The bytes of all outs, by path; without the records of runs."""
    found = [*(project.root / "data").rglob("*"), *(project.root / "metrics").iterdir()]
    found += [project.root / "scores.json", project.root / "state.json"]
    paths = {file.relative_to(project.root).as_posix(): file for file in found if file.is_file()}
    return {
        path: file.read_bytes()
        for path, file in sorted(paths.items())
        if not path.startswith(RECORDS) and file.name != ".gitignore"
    }


def without_test(values: Any) -> Any:
    """Nested scores without those of test."""
    if not isinstance(values, dict):
        return values
    return {key: without_test(of) for key, of in values.items() if not key.startswith("test")}


def assert_only_test_scores_differ(
    before: Mapping[str, bytes], after: Mapping[str, bytes], folder: Path
) -> set[str]:
    """The paths of the files that differ, which may be those of MAY_DIFFER alone."""
    assert before.keys() == after.keys() >= MAY_DIFFER
    differ = {path for path in before if before[path] != after[path]}
    assert differ <= MAY_DIFFER, differ - MAY_DIFFER
    for path in ("metrics/tta_evaluate.json", "scores.json"):
        one, other = json.loads(before[path]), json.loads(after[path])
        assert one != other and without_test(one) == without_test(other), path
    one, other = (of["data/6_reports/reliability.csv"].splitlines() for of in (before, after))
    assert [row for row in one if b"test" not in row] == [
        row for row in other if b"test" not in row
    ]
    for name in ("head", "augmented", "predictions"):
        path = f"data/5_predictions/{name}.parquet"
        one, other = (predictions_of(of[path], folder) for of in (before, after))
        assert one.views.tobytes() == other.views.tobytes()
        assert one.tta.tobytes() == other.tta.tobytes()
        assert one.thresholds == other.thresholds
        valid = (one.table["split"] == "valid").to_numpy(bool)
        assert one.where(valid).table.equals(other.where(valid).table)
        assert sorted(targets_of(one, ~valid)) == sorted(targets_of(other, ~valid))
        assert targets_of(one, ~valid) != targets_of(other, ~valid)
    return differ


def predictions_of(data: bytes, folder: Path) -> Predictions:
    (folder / "predictions.parquet").write_bytes(data)
    return read_predictions(folder / "predictions.parquet")


def targets_of(predictions: Predictions, chosen: Any) -> Sequence[list[int]]:
    return list(predictions.where(chosen).table["targets"])


def permuted(labels: Labels) -> Labels:
    """Each picture gets the labels of another, mostly of another colour."""
    return labels[5:] + labels[:5]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A single label a picture, all stages run."""
    project = make_project(
        tmp_path_factory.mktemp("labels"), "single_label", said_of("single_label")
    )
    assert "train-head" in run(project)
    yield project


@pytest.fixture(scope="module")
def first(project: Project) -> dict[str, bytes]:
    """The results of the first run."""
    return results_in(project)


def test_a_corrected_label_of_test_trains_nothing(
    project: Project, first: Mapping[str, bytes], figures: Callable[[str], None]
) -> None:
    said = said_of("single_label")
    said["test"][0] = "sky"
    write_table(project, said)
    ran = run(project)
    assert ran == READ_THE_LIST | READ_LABELS_OF_TEST
    index = project.root / "data/1_index"
    labels = read_labels(index / "labels.parquet", index / "test_labels.parquet")
    of_test = [of[0] for of in labels.table["labels"][labels.table["split"] == "test"]]
    assert {name: of_test.count(name) for name in labels.classes} == {
        "grass": 3, "rust": 4, "sky": 5,
    }  # fmt: skip
    after = results_in(project)
    assert all(after[path] == of for path, of in first.items() if "4_checkpoints" in path)
    n_stages = len(project.downstream("fetch-images") | project.downstream("fetch-weights"))
    figures(f"{len(ran)} of {n_stages} stages run, none that trains or runs a network")
    assert run(project) == set()


def test_permuted_labels_of_test_change_only_its_scores(
    project: Project,
    first: Mapping[str, bytes],
    tmp_path: Path,
    figures: Callable[[str], None],
) -> None:
    said = said_of("single_label")
    write_table(project, said | {"test": permuted(said["test"])})
    assert run(project) == READ_THE_LIST | READ_LABELS_OF_TEST
    differ = assert_only_test_scores_differ(first, results_in(project), tmp_path)
    figures(f"{len(first) - len(differ)} of {len(first)} files the same bytes")


def test_a_correction_of_test_trains_nothing(project: Project, first: Mapping[str, bytes]) -> None:
    write_table(project, said_of("single_label"))
    run(project)
    project.edit({"index_images.corrections": {"test/0.png": "sky", "test/1.png": "grass"}})
    assert run(project) == {"index-images"} | READ_LABELS_OF_TEST
    after = results_in(project)
    assert all(after[path] == of for path, of in first.items() if "4_checkpoints" in path)
    assert "test/0.png" in (project.root / "params.yaml").read_text()
    project.edit({"index_images.corrections": {}})
    run(project)


def test_pinned_versions_are_what_dvc_compares(project: Project) -> None:
    project.headstart("check", "--pin")
    changed = json.loads(project.run("dvc", "status", "--json"))
    of_pins = {
        stage
        for stage, problems in changed.items()
        if any(
            "params.yaml" in of.get("changed deps", {}) for of in problems if isinstance(of, dict)
        )
    }
    stages = project.downstream("fetch-images") | project.downstream("fetch-weights")
    assert of_pins == stages - {"fetch-images", "fetch-weights", "write-submission"}
    project.edit({"runtime.versions": "any", "runtime.pinned": ""})
    changed = json.loads(project.run("dvc", "status", "--json"))
    assert changed == {ALWAYS: ["always changed"]}


@pytest.mark.long
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_permuted_labels_of_test_in_a_run_from_nothing(
    task: str, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """Every stage runs anew, in another clone, so this also sees what a stage does not declare."""
    said, found = said_of(task), []
    for name, of_test in (("one", said["test"]), ("other", permuted(said["test"]))):
        (tmp_path / name).mkdir()
        project = make_project(tmp_path / name, task, said | {"test": of_test})
        assert "unfreeze-finetune" in run(project)
        found.append(results_in(project))
    one, other = found
    differ = assert_only_test_scores_differ(one, other, tmp_path)
    figures(f"{task}: {len(one) - len(differ)} of {len(one)} files the same bytes")
