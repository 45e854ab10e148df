"""Probabilities from the logits of a network."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.labels.task import Task


def probabilities(logits: Tensor, task: Task) -> NDArray[np.float64]:
    """Probabilities (..., K) of logits (..., K): softmax for one label a picture, sigmoid for many."""
    exact = logits.double()
    return (
        torch.softmax(exact, dim=-1) if task == "single_label" else torch.sigmoid(exact)
    ).numpy()
