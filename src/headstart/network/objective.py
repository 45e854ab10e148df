"""The objective of a training: the loss, the probabilities and the scores of a task."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from headstart.labels.task import SCORE, Task
from headstart.network.probabilities import probabilities
from headstart.scores.metrics import Floats
from headstart.scores.multi_label import Bools, f_beta
from headstart.scores.thresholds import DEFAULT_THRESHOLD, decide

Targets = NDArray[np.int64] | NDArray[np.float32]
"""single_label: class numbers (N,), int64; multi_label: 0 or 1 (N, K), float32."""


@dataclass(frozen=True)
class Scores:
    """How good predictions of a whole split are.

    Attributes:
        log_loss: mean negative log likelihood, nats; for multi_label the mean is over labels too.
        score: in [0, 1]. The accuracy for single_label, the F2 at a threshold of 0.2 for multi_label
            (tta-evaluate searches thresholds and scores them).
        log_losses: (N,) of each picture, for paired comparisons; empty where nothing is compared.
        scores: (N,) of each picture, in [0, 1], in the same order.
    """

    log_loss: float
    score: float
    log_losses: Floats = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)
    scores: Floats = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)

    def named(self, task: Task) -> dict[str, float]:
        """The scores by name, for a metrics file: log_loss, and accuracy or f2."""
        return {"log_loss": self.log_loss, SCORE[task].lower(): self.score}

    def of(self, rows: Bools) -> Self:
        """The scores of the pictures that `rows` (N,) marks True, at least one."""
        losses, scores = self.log_losses[rows], self.scores[rows]
        return type(self)(float(losses.mean()), float(scores.mean()), losses, scores)

    def total(self) -> Self:
        """The scores without those of each picture."""
        return type(self)(self.log_loss, self.score)


@dataclass(frozen=True)
class Objective:
    """Softmax and cross entropy of one label a picture; sigmoid and binary cross entropy of many.

    Attributes:
        task: which of the two.
        weights: (K,) how much the loss of each class counts, or None. With many labels a picture,
            the weight applies to the pictures that have the label, not to the others.
    """

    task: Task
    weights: Tensor | None = None

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of logits (B, K) over the batch, and over labels: a scalar."""
        weights = None if self.weights is None else self.weights.to(logits)
        if self.task == "single_label":
            return functional.cross_entropy(logits, targets, weight=weights)
        return functional.binary_cross_entropy_with_logits(
            logits, targets.to(logits.dtype), pos_weight=weights
        )

    def weight(self, targets: Tensor) -> Tensor:
        """What `loss` divides the sum over targets (B, ...) by, apart from a constant: a scalar."""
        if self.task == "single_label" and self.weights is not None:
            return self.weights.to(targets.device)[targets].sum()
        return torch.tensor(len(targets), device=targets.device)

    def probabilities(self, logits: Tensor) -> NDArray[np.float64]:
        """Probabilities (..., K) of logits (..., K); they sum to 1 only for single_label."""
        return probabilities(logits, self.task)

    def scores(self, logits: Tensor, targets: Targets) -> Scores:
        """Scores of logits (N, K), in total and of each picture, without weights."""
        wanted = torch.from_numpy(targets)
        exact = logits.double()
        log_loss = Objective(self.task).loss(exact, wanted).item()
        if self.task == "single_label":
            losses = functional.cross_entropy(exact, wanted, reduction="none")
            right = (logits.argmax(1) == wanted).double()
            return Scores(log_loss, right.mean().item(), losses.numpy(), right.numpy())
        losses = functional.binary_cross_entropy_with_logits(
            exact, wanted.double(), reduction="none"
        ).mean(1)
        f2 = f_beta(self.decisions(self.probabilities(logits)), targets.astype(bool))
        return Scores(log_loss, float(f2.mean()), losses.numpy(), f2)

    def decisions(self, probabilities: NDArray[np.float64]) -> Bools:
        """Decide by probabilities (N, K): the most probable class, or each label of 0.2 or more."""
        if self.task == "single_label":
            return multi_hot(probabilities.argmax(axis=1), probabilities.shape[1])
        return decide(probabilities, [DEFAULT_THRESHOLD] * probabilities.shape[1])


def multi_hot(targets: Targets, n_classes: int) -> Bools:
    """Targets of either task as booleans (N, K)."""
    if targets.ndim == 1:
        return np.asarray(targets[:, None] == np.arange(n_classes))
    return targets.astype(bool)
