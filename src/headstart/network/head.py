"""The course's classifier on concat-pooled features."""

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from headstart.project.section import Section

Probability = Annotated[float, Field(ge=0, lt=1)]


class HeadParams(Section):
    """Section `head`: the shape of the classifier."""

    hidden_units: int = Field(
        ge=0,
        le=65_536,
        description="units of the hidden layer, 0 to 65,536; 0: no hidden layer, for classes with "
        "few pictures each",
    )
    dropout: tuple[Probability, Probability] = Field(
        strict=False,
        description="dropout before the first and the second linear layer, each in [0, 1); without a "
        "hidden layer only the second is used",
    )


def create_head(n_features: int, n_classes: int, params: HeadParams) -> nn.Sequential:
    """BN, Dropout, Linear, ReLU, BN, Dropout, Linear: features (N, D) -> logits (N, K).

    Without hidden units it is BN, Dropout, Linear: a regularised logistic regression.
    Weights are Kaiming normal (fan-in), biases 0. Weights of a head without hidden units start at 0:
    with more features than pictures, training never moves the part of them that no picture shows, and
    random values there would stay as noise. The head of a resnet34 with 2 classes and 512 hidden units
    has 528,898 parameters. Draws from torch's current random state.
    """
    first, second = params.dropout
    hidden: list[nn.Module] = []
    if params.hidden_units:
        hidden = [
            nn.BatchNorm1d(n_features),
            nn.Dropout(first),
            nn.Linear(n_features, params.hidden_units),
            nn.ReLU(),
        ]
        n_features = params.hidden_units
    head = nn.Sequential(
        *hidden,
        nn.BatchNorm1d(n_features),
        nn.Dropout(second),
        nn.Linear(n_features, n_classes),
    )
    for layer in head:
        if isinstance(layer, nn.Linear):
            std = math.sqrt(2 / layer.in_features) if params.hidden_units else 0.0
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
    return head


def linear_weights(state: Mapping[str, Tensor]) -> list[Tensor]:
    """The weights of the linear layers of a head whose tensors are `state`: (units, D), (K, ...)."""
    return [weight for weight in state.values() if weight.ndim == 2]


def restore_head(state: Mapping[str, Tensor], dropout: tuple[float, float]) -> nn.Sequential:
    """The head whose tensors are `state`; their shapes say how large it is."""
    *hidden, last = linear_weights(state)
    params = HeadParams(hidden_units=len(hidden[0]) if hidden else 0, dropout=dropout)
    head = create_head(len(state["0.weight"]), len(last), params)
    head.load_state_dict(dict(state))
    return head


def head_logits(head: nn.Module, features: NDArray[np.float32], device: torch.device) -> Tensor:
    """Logits (..., K) of features (..., D), in evaluation mode; the head's own mode is restored."""
    was_training = head.training
    head.eval()
    flat = torch.from_numpy(np.ascontiguousarray(features)).to(device).flatten(0, -2)  # (-1, D)
    with torch.inference_mode():
        logits: Tensor = head(flat).cpu()
    head.train(was_training)
    return logits.reshape(*features.shape[:-1], logits.shape[-1])  # (-1, K) -> (..., K)
