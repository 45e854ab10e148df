"""The switch HEADSTART_PLAIN: 1 turns off everything here that only makes networks faster.

Torch's own modules then run as timm composed them, and all threads share each operation. The numbers
differ only by the order of sums (`tests/backbone/fast/test_plain.py`), and `runtime.precision: auto`
trains in fp32 throughout.
"""

import os
from collections.abc import Mapping

from headstart.project.errors import HeadstartError

SWITCH = "HEADSTART_PLAIN"


def is_plain(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether HEADSTART_PLAIN is 1; without it, or with 0, networks are made fast.

    Raises:
        HeadstartError: the variable is neither 0 nor 1.
    """
    wanted = environment.get(SWITCH) or "0"
    if wanted not in ("0", "1"):
        raise HeadstartError(
            f"{SWITCH} is {wanted!r}; it must be 1 (torch's own modules only) or 0 (faster ones)."
        )
    return wanted == "1"
