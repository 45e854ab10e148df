"""Which stages run again after an edit of the code: `dvc status` agrees with a table.

One module of each room is edited. The table lists the stages that `dvc status` then reports. Later
stages run again only if the bytes of an out change.
"""

import json
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile
from ruamel.yaml import YAML

from tests.contract import PACKAGE, room_of
from tests.repository import run

FETCH = {"fetch-images", "fetch-weights"}
PRECOMPUTE = {"precompute-activations", "precompute-views"}
HEADS = {"find-lr-head", "train-head", "train-augmented"}
LIVE = {"find-lr-finetune", "unfreeze-finetune"}  # stages that decode pictures and run the backbone
REPORTS = {"confusion-report", "write-submission"}
NETWORKS = {"predict-views", "confusion-report"}  # a finished network looks at pictures
TRAINING = HEADS | LIVE
BACKBONE = {"fetch-weights", "audit-labels"} | NETWORKS | PRECOMPUTE | TRAINING
ALL = (
    FETCH | PRECOMPUTE | TRAINING | REPORTS
    | {"index-images", "resize", "audit-labels", "predict-views", "tta-evaluate", "publish-run"}
)  # fmt: skip


def edited(root: Path, files: list[str]) -> dict[str, set[str]]:
    """For each of these files, the stages that run again if only this file is edited."""
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            stage.save_deps(allow_missing=True)
        stages = {s.name: to_single_stage_lockfile(s) for s in repo.index.stages}
    with (root / "dvc.lock").open("w", encoding="utf-8") as lock:
        YAML(typ="safe").dump({"schema": "2.0", "stages": stages}, lock)
    for file in files:
        with (root / file).open("a", encoding="utf-8") as code:
            code.write("# an edit\n")
    status = json.loads(run(root, "dvc", "status", "--json"))
    return {
        file: {
            name
            for name, entries in status.items()
            for entry in entries
            if isinstance(entry, dict)
            and any(f"{file}/".startswith(f"{dep}/") for dep in entry.get("changed deps", {}))
        }
        for file in files
    }


# A module of each room -> the stages that declare it.
TABLE: dict[str, set[str]] = {
    "project/section": ALL,
    "kept/records": {"index-images", "resize", "predict-views", "confusion-report"}
    | PRECOMPUTE
    | TRAINING,
    "image_files/tree": {"fetch-images", "index-images", "resize", "write-submission"},
    "pictures/rgb": ALL - FETCH - {"tta-evaluate", "publish-run"},
    "labels/labels": ALL - FETCH - PRECOMPUTE - {"resize", "publish-run"},
    "indexing/splits": {"index-images"},
    "backbone/device": BACKBONE,
    "backbone/fast/folded": BACKBONE,
    "fetching/archives": FETCH,
    "views/draws": NETWORKS | PRECOMPUTE | LIVE,
    "activations/stored": {"predict-views", "audit-labels"} | PRECOMPUTE | HEADS,
    "auditing/folds": {"audit-labels"},
    "scores/metrics": {"tta-evaluate"} | TRAINING | REPORTS,
    "network/head": NETWORKS | TRAINING,
    "training/schedules": TRAINING,
    "prediction/stored_views": {"predict-views", "tta-evaluate"},
    "explaining/look": {"confusion-report"},
    "evaluation/intervals": {"tta-evaluate"} | REPORTS,
    "reporting/figures": REPORTS,
    "terminal/lines": set(),
    "tracking/store": {"publish-run"},
    "steps/train_head": {"train-head"},
    "cluster/chosen": set(),
    "checks/rules": set(),
    "warm/run": set(),
    "comparison/splits": set(),
    "use/classifier": set(),
    "commands/cli": set(),
    "exporting/graph": set(),
    "demo/server": set(),
    "sweeping/space": set(),
}


@pytest.fixture(scope="module")
def reruns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """For each module of the table, the stages that DVC would run again after an edit of it."""
    repo_root, root = Path(__file__).parents[1], tmp_path_factory.mktemp("edited")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("src", "stages", "sources", "recipes"):
        shutil.copytree(repo_root / folder, root / folder, ignore=skip)
    for file in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(repo_root / file, root)
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    files = {module: f"{PACKAGE}{module}.py" for module in TABLE}
    found = edited(root, list(files.values()))
    return {module: found[file] for module, file in files.items()}


@pytest.mark.parametrize("module", TABLE)
def test_an_edit_of_a_room_runs_again_what_the_table_says(
    reruns: dict[str, set[str]], module: str
) -> None:
    assert reruns[module] == TABLE[module]


def test_every_room_is_in_the_table(repo_root: Path) -> None:
    folders = {
        path.name for path in (repo_root / PACKAGE).iterdir() if (path / "__init__.py").exists()
    }
    assert {room_of(f"{PACKAGE}{module}") for module in TABLE} == folders


def test_what_the_drawing_promises_of_edits() -> None:
    assert TABLE["reporting/figures"] == REPORTS
    assert not TABLE["training/schedules"] & PRECOMPUTE
    assert TABLE["commands/cli"] == set()
    assert not TABLE["evaluation/intervals"] & ({"predict-views"} | TRAINING | PRECOMPUTE)


@pytest.mark.parametrize("folder", ["metrics", "data/7_runs"])
def test_publish_run_does_not_see_what_dvc_or_an_editor_leaves_in_its_folders(
    repo_root: Path, folder: str
) -> None:
    with Repo(str(repo_root)) as repo:
        names = ("train_head.json", ".gitignore", "train_head.json~", "train_head.json.partial")
        seen = [
            name
            for name in names
            if not repo.dvcignore.is_ignored_file(str(repo_root / folder / name))
        ]
    assert seen == ["train_head.json"]
