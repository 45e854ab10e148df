"""Which stages an edit of the code makes run again: dvc.yaml's rooms, held against a table.

The table is what DVC itself says (`dvc status`) after one module of each room was edited. Stages
further down run again only where the bytes of an out have changed.
"""

from pathlib import Path

from dvc.repo import Repo
from dvc.stage.serialize import to_single_stage_lockfile
from ruamel.yaml import YAML

FETCH = {"fetch-images", "fetch-weights"}
PRECOMPUTE = {"precompute-activations", "precompute-views"}
HEADS = {"find-lr-head", "train-head", "train-augmented"}
LIVE = {"find-lr-finetune", "unfreeze-finetune"}  # that decode pictures and run the backbone
REPORTS = {"confusion-report", "write-submission"}
TRAINING = HEADS | LIVE


def edited(root: Path, files: list[str]) -> dict[str, set[str]]:
    """For each of these files, the stages that run again when it alone is edited."""
    with Repo(str(root)) as repo:
        for stage in repo.index.stages:
            stage.save_deps(allow_missing=True)
        stages = {s.name: to_single_stage_lockfile(s) for s in repo.index.stages}
    with (root / "dvc.lock").open("w", encoding="utf-8") as lock:
        YAML(typ="safe").dump({"schema": "2.0", "stages": stages}, lock)
    for file in files:
        with (root / file).open("a", encoding="utf-8") as code:
            code.write("# an edit\n")
    with Repo(str(root)) as repo:
        status = repo.status()
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
