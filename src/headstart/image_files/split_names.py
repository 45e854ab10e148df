"""The usual names of splits, as folders and files have them."""

import re
from collections.abc import Mapping
from typing import Literal

SplitName = Literal["train", "valid", "test"]
_STEMS: Mapping[str, SplitName] = {
    "train": "train", "training": "train",
    "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
_ENDS = ("", "set", "data", "images", "imgs")
_SPLITS: Mapping[str, SplitName] = {
    f"{stem}{end}": split for stem, split in _STEMS.items() for end in _ENDS
}


def split_named(folder: str) -> SplitName | None:
    """The split that a folder's name stands for, such as `Val`, `training_set` or `train2017`.

    Case, `-`, `_`, `.`, spaces and digits at the end do not count.
    """
    return _SPLITS.get(re.sub(r"[-_. ]|[-_. \d]+$", "", folder.casefold()))
