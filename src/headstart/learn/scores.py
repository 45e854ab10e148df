"""How good a model is on the valid split while it trains."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from headstart.learn.inference import head_logits


@dataclass(frozen=True)
class Scores:
    """Mean negative log likelihood (nats) and accuracy in [0, 1], over a whole split."""

    log_loss: float
    accuracy: float


def score_logits(logits: Tensor, targets: NDArray[np.int64]) -> Scores:
    """Scores of logits (N, K) against class numbers (N,)."""
    wanted = torch.from_numpy(targets)
    return Scores(
        log_loss=functional.cross_entropy(logits.double(), wanted).item(),
        accuracy=(logits.argmax(1) == wanted).double().mean().item(),
    )


def score_head(
    head: nn.Module, features: NDArray[np.float32], targets: NDArray[np.int64], device: torch.device
) -> Scores:
    """Scores of a head, in evaluation mode, on cached features (N, D)."""
    return score_logits(head_logits(head, features, device), targets)
