"""Make torchvision importable beside a torch that it was not built for.

torchvision's Linux wheels are built for CUDA. Beside a CPU-only torch their operator library cannot
load, and `import torchvision` (which timm does too) fails with "operator torchvision::nms does not
exist". The import needs only the schemas of two operators; neither is ever called here. Where the real
library loads, nothing is declared.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def declare_missing() -> Any:
    """Declare the two operators, once, where the real ones do not load.

    Call it before torchvision is imported, and so before timm or fastai.

    Returns:
        the library that declares them. It must stay alive: its schemas disappear with it.
    """
    if _real_operators_load():
        return None
    declared = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    declared.define(f"nms{_SCHEMA}")  # type: ignore[no-untyped-call]
    declared.define(f"qnms{_SCHEMA}")  # type: ignore[no-untyped-call]
    return declared


def _real_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    folders = spec.submodule_search_locations if spec else None
    for library in Path(next(iter(folders or ["."]))).glob("_C*.so"):
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except OSError:
            return False
    return True
