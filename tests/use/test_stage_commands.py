"""The paths in commands of stages, in each form that dvc.yaml takes."""

import subprocess
import sys

import pytest

from headstart.use.stage_commands import given


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("python a.py --out 'my data/x' --in y --out z", ["my data/x", "z"]),
        (["echo now", "python a.py --out x", "python b.py --out y"], ["x", "y"]),
        ("echo 'a quotation without its end --out x", []),
        (["python a.py --out x", {"not": "a command"}], ["x"]),
        (None, []),
    ],
)
def test_paths_behind_an_option(command: object, paths: list[str]) -> None:
    assert given(command, "--out") == paths


def test_a_revision_is_read_without_pandas_and_torch() -> None:
    """`headstart sync` needs neither."""
    code = "import sys, headstart.commands.revision; print({'pandas', 'torch'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
