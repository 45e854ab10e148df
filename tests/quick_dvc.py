"""`dvc` that reads and writes dvc.lock by libyaml, for tests of many pipelines.

DVC would keep a person's comments in dvc.lock, though it has none, by a parser in Python. In these
tests that took 1 s of the 3 s of a stage. The keys and values are the same; the lines break elsewhere.

The folder that `quick_dvc` puts first on PATH has this file as its `dvc`.
"""

import os
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from dvc.cli import main
from dvc.utils.serialize import _yaml
from ruamel.yaml import YAML


@contextmanager
def quick_dvc() -> Iterator[str]:
    """A PATH whose `dvc` is the quick one."""
    with TemporaryDirectory() as folder:
        command = Path(folder, "dvc")
        command.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}")
        command.chmod(0o755)
        yield os.pathsep.join([folder, str(Path(sys.executable).parent), os.environ["PATH"]])


def dump(content: Any, stream: TextIO) -> None:
    """Write as DVC does: blocks, in the order of the keys."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    representer = type(yaml.representer)
    representer.add_representer(OrderedDict, representer.represent_dict)
    yaml.dump(content, stream)


if __name__ == "__main__":
    _yaml.parse_yaml_for_update = _yaml.parse_yaml
    _yaml._dump = dump
    sys.exit(main())
