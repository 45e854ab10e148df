"""Folders for `headstart init`, and what it writes for them."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from PIL import Image
from ruamel.yaml import YAML

from headstart.checks.whole_file import check_file
from headstart.commands.cli import main
from headstart.image_files.tree import list_tree
from tests.indexed import Files


def draw(path: Path, number: int, size: tuple[int, int] = (60, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (37 * number % 256, 91 * number % 256, 80)).save(path)


def pictures(folder: Path, *names: str, n: int = 6) -> Path:
    """`n` pictures for each of `names`, a format of a path such as cats/{}.jpg."""
    for k, name in enumerate(names):
        for i in range(n):
            draw(folder / name.format(i), 100 * k + i)
    return folder


def files(folder: Path) -> Files:
    """What the folder holds, as index-images reads it."""
    return {path: (folder / path).read_bytes() for path in list_tree(folder).sizes}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["init", *map(str, arguments)])


def written(*arguments: str | Path) -> dict[str, Any]:
    """The params that init writes, which must pass all checks."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert check_file(Path("params.yaml")).errors == []
    values: dict[str, Any] = YAML(typ="safe").load(Path("params.yaml"))
    return values


def index_of(values: dict[str, Any], *keys: str) -> list[Any]:
    return [values["index_images"][key] for key in keys]
