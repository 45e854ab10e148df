"""What torchrun makes of the words that follow it."""

from collections.abc import Sequence

import pytest


def read_by_torchrun(words: Sequence[str], stage: Sequence[str]) -> None:
    """Hold that torchrun starts the script of a stage with all of its options, and keeps none.

    Args:
        words: its own options, `--`, then those of `stage`.
        stage: the script and its options.
    """
    from torch.distributed.run import get_args_parser

    found = get_args_parser().parse_args(list(words))
    assert [found.training_script, *found.training_script_args] == list(stage)
    assert words[-len(stage) - 1] == "--"
    with pytest.raises(SystemExit):  # --run may be its own --run-path, or --run_path
        get_args_parser().parse_args([*words[: -len(stage) - 1], *stage])
