"""Names the tensors that hold numbers that are not finite."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

N_SHOWN = 3  # names that a sentence lists


def not_finite(tensors: Mapping[str, "Tensor"]) -> str:
    """Names of the tensors that hold nan or inf: the first few, and how many more; "" for none."""
    names = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    more = f" and {len(names) - N_SHOWN} more" if len(names) > N_SHOWN else ""
    return ", ".join(names[:N_SHOWN]) + more
