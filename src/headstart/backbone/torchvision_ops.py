"""Make torchvision importable beside a torch that it was not built for. Import this before it.

torchvision's Linux wheels are built for CUDA. Beside a CPU-only torch their operator library cannot
load, and `import torchvision` (so timm too) stops at "operator torchvision::nms does not exist".
Only the schemas of two operators are missed at import; none of them is ever called here. Where the
real library loads, nothing is declared.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _real_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    folders = spec.submodule_search_locations if spec else None
    for library in Path(next(iter(folders or ["."]))).glob("_C*.so"):
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except OSError:
            return False
    return True


# The library object must stay alive: its schemas go when it does.
_declared: Any = None
if not _real_operators_load():
    _declared = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    _declared.define(f"nms{_SCHEMA}")
    _declared.define(f"qnms{_SCHEMA}")
