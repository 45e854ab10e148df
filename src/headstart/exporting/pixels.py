"""What goes into an exported network, and what runs one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(N, S, S, 3), RGB."""
Run = Callable[[Pixels], NDArray[np.float32]]
"""Pixels -> probabilities (N, K)."""
