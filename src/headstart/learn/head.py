"""The course's classifier on concat-pooled features."""

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from headstart.core.section import Section

Probability = Annotated[float, Field(ge=0, lt=1)]


class HeadParams(Section):
    """Section `head`: the shape of the classifier."""

    hidden_units: int = Field(ge=1, description="units of the hidden layer")
    dropout: tuple[Probability, Probability] = Field(
        strict=False, description="before the first and the second linear layer, each in [0, 1)"
    )


def create_head(n_features: int, n_classes: int, params: HeadParams) -> nn.Sequential:
    """BN, Dropout, Linear, ReLU, BN, Dropout, Linear: features (N, D) -> logits (N, K).

    Weights are Kaiming normal (fan-in), biases 0. A resnet34 with 2 classes and 512 hidden units has
    528,898 parameters. Draws from torch's current random state.
    """
    first, second = params.dropout
    head = nn.Sequential(
        nn.BatchNorm1d(n_features),
        nn.Dropout(first),
        nn.Linear(n_features, params.hidden_units),
        nn.ReLU(),
        nn.BatchNorm1d(params.hidden_units),
        nn.Dropout(second),
        nn.Linear(params.hidden_units, n_classes),
    )
    for layer in head:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.in_features))
            nn.init.zeros_(layer.bias)
    return head


def restore_head(state: Mapping[str, Tensor], dropout: tuple[float, float]) -> nn.Sequential:
    """The head whose tensors are `state`; their shapes say how large it is."""
    hidden_units, n_features = state["2.weight"].shape
    params = HeadParams(hidden_units=hidden_units, dropout=dropout)
    head = create_head(n_features, len(state["6.bias"]), params)
    head.load_state_dict(dict(state))
    return head
