"""What a sweep reads of the project: the results of the stages before the head."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.activations.stored import SizedActivations, read_activations
from headstart.backbone.device import Compute, RuntimeParams, prepare
from headstart.labels.labels import read_labels
from headstart.project.errors import HeadstartError
from headstart.project.files import read_json
from headstart.project.params import PARAMS_FILE, parse_section
from headstart.project.versions import versions
from headstart.sweeping.objective import CachedSet
from headstart.sweeping.settings import value_at
from headstart.training.lr_curve import Suggestion
from headstart.use.results import Project

MADE_BY = {
    "activations": ("precompute-activations", "--activations"),
    "views": ("precompute-views", "--activations"),
    "labels": ("index-images", "--labels"),
    "suggestion": ("find-lr-head", "--suggestion"),
}
"""What is read -> the stage that makes it, and the option of its command that names the path."""


def open_set(values: Mapping[str, Any]) -> CachedSet:
    """Set torch up for this process, and open what the trials share.

    Args:
        values: the sections of params.yaml.

    Raises:
        HeadstartError: as `read_cached_set`.
    """
    compute = prepare(parse_section("runtime", RuntimeParams, values, PARAMS_FILE))
    return read_cached_set(compute, value_at(values, "train_head.lr"))


def read_cached_set(compute: Compute, lr: object) -> CachedSet:
    """Open what the trials share; `lr` is train_head.lr, which needs the range test if it is auto.

    Raises:
        HeadstartError: a stage has not run, or valid has no labelled picture.
    """
    views = read_activations(_path("views"))
    plain = read_activations(_path("activations"), weights=views.first().manifest.weights)
    labels = read_labels(_path("labels"))
    if not labels.labelled("valid"):
        raise HeadstartError(
            "A sweep judges by the labelled pictures of valid, and there are none: set "
            "index_images.valid_frac above 0."
        )
    suggestion = Suggestion(None, "it was not read")
    if lr == "auto":
        suggestion = Suggestion(**read_json(_path("suggestion")))
    return CachedSet(plain, views, labels, suggestion, compute)


def about(cached: CachedSet) -> Mapping[str, Any]:
    """All that shapes a trial beside params.yaml and the code, as JSON values."""
    return {
        "labels": hashlib.sha256(_path("labels").read_bytes()).hexdigest(),
        "plain": _manifests(cached.plain),
        "views": _manifests(cached.views),
        "suggestion": cached.suggestion.lr,
        "device": cached.compute.device.type,
        "versions": versions(),
    }


def _manifests(cached: SizedActivations) -> list[Any]:
    sizes = cached.by_size.values()
    return [[of.manifest.model_dump(mode="json"), of.features.shape[0]] for of in sizes]


def _path(name: str) -> Path:
    """The path of one of MADE_BY.

    Raises:
        HeadstartError: this folder is no project, or the stage has not run.
    """
    return Project().file(*MADE_BY[name])
