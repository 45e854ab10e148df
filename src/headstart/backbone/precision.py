"""The precision of forward passes that predict, as manifests and checkpoints name it."""

from typing import Literal

Precision = Literal["float32", "bfloat16"]
