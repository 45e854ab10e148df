"""What the logits of a network say, as probabilities."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.labels.task import Task


def probabilities(logits: Tensor, task: Task) -> NDArray[np.float64]:
    """(..., K) of logits (..., K): softmax of one label a picture, sigmoids of many."""
    exact = logits.double()
    return (
        torch.softmax(exact, dim=-1) if task == "single_label" else torch.sigmoid(exact)
    ).numpy()
