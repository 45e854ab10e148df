"""Reads the results of a revision or experiment, or of the workspace, for `headstart compare`."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headstart.commands.kept_spread import SPREAD_FILE, spread_note
from headstart.commands.revision import Revision, below
from headstart.comparison.params import changed_params
from headstart.comparison.runs import Run
from headstart.evaluation.predictions import read_predictions
from headstart.labels.labels import read_labels
from headstart.pictures.table import first_paths, read_pictures
from headstart.project.errors import HeadstartError
from headstart.project.params import PARAMS_FILE, read_params

WORKSPACE = "workspace"
SCORING, INDEXING, PUBLISHING = "tta-evaluate", "index-images", "publish-run"


def read_stored_run(root: Path, name: str) -> Run:
    """The results of `name`: a commit, tag, branch or experiment, or WORKSPACE.

    Args:
        root: the folder that holds dvc.yaml.
        name: as the user gave it.

    Raises:
        HeadstartError: git knows no such revision, its stages have not run, or its files are neither
            in the workspace nor in DVC's cache.
    """
    revision = Revision(root, None if name == WORKSPACE else name)
    params = params_of(revision)
    with TemporaryDirectory() as folder:
        file = partial(_file, revision, Path(folder))
        # of several, the last file is of the final network
        predictions = read_predictions(file(SCORING, "--predictions"))
        # an older headstart wrote the labels of test beside the others
        option = "--test-labels" if revision.paths(SCORING, "--test-labels") else "--labels"
        labels = read_labels(file(SCORING, "--labels"), file(SCORING, option))
        scores = json.loads(file(SCORING, "--metrics").read_bytes())
        try:
            paths = dict(first_paths(read_pictures(file(INDEXING, "--pictures"))))
        except HeadstartError:  # without them, a picture is shown by its id
            paths = {}
    notes = _not_run_yet(root, params) if name == WORKSPACE else []
    notes += spread_note(name, params, revision.read(SPREAD_FILE))
    inputs = {
        path: of
        for path, of in revision.deps.items()
        # publish-run reads whole folders of what stages wrote
        if path not in revision.outs and not below(path, revision.outs)
    }
    return Run(
        name, revision.commit(), params, inputs, predictions, labels, scores, paths, notes
    )  # fmt: skip


def params_of(revision: Revision) -> dict[str, Any]:
    """Section -> values with which the stages ran."""
    # publish-run names all sections, but may be older than the stages before it
    names = sorted(revision.stages, key=lambda name: name != PUBLISHING)
    params: dict[str, Any] = {}
    for name in names:
        params |= revision.stages[name].get("params", {}).get(str(PARAMS_FILE)) or {}
    return params


def _file(revision: Revision, folder: Path, stage: str, option: str) -> Path:
    """A copy of the last file that a stage is given by `option`."""
    paths = revision.paths(stage, option)
    if not paths:
        raise HeadstartError(
            f"The stage {stage}{revision.where} has no {option}, so an older headstart ran it: name a "
            "later revision."
        )
    copy = revision.files_in(folder)(paths[-1])
    if copy is None:
        remedy = "check it out and run `dvc repro`" if revision.where else "run `dvc repro`"
        raise HeadstartError(
            f"{paths[-1]}{revision.where} is neither in the workspace nor in DVC's cache with the "
            f"content that dvc.lock names: run `dvc pull`, or {remedy}."
        )
    return copy


def _not_run_yet(root: Path, params: Mapping[str, Any]) -> list[str]:
    """A sentence on values of params.yaml with which nothing has run."""
    changed = changed_params(params, read_params(root / PARAMS_FILE))
    if not changed:
        return []
    keys = ", ".join(change.key for change in changed[:3]) + ", ..." * (len(changed) > 3)
    return [
        f"{PARAMS_FILE} has been edited since the workspace's results were computed ({keys}): run "
        "`dvc repro` to compare the new values."
    ]
