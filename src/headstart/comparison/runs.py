"""A run to compare: what it was told, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headstart.evaluation.predictions import Predictions
from headstart.labels.labels import Labels


@dataclass(frozen=True)
class Run:
    """The results of one state of a project.

    Attributes:
        name: the revision or experiment as the user named it, or "workspace".
        commit: its short hash and the first line of its message; "" for the workspace.
        params: section -> values, with which the results were computed.
        inputs: path -> digest of what is no stage's output: code, sources of pictures and weights.
        predictions: of the final network on valid and test.
        labels: of all pictures.
        scores: metrics of tta_evaluate, <split>.<plain|tta>.<score>.
        paths: picture id -> path of one of its files; may lack pictures.
        notes: sentences on the run itself.
    """

    name: str
    commit: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    predictions: Predictions
    labels: Labels
    scores: Mapping[str, Any]
    paths: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
