"""The README is a test: its commands run or parse, its stages and files exist."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from headstart.commands.cli import main
from tests.contract import read_stages

INSTALL = "python3.11 -m venv .venv && . .venv/bin/activate && pip install -e"
MAIN = f"{INSTALL} . && dvc repro"
TEST = f"{INSTALL} '.[test]' && python -m pytest"
FIRST_SCREEN_LINES = 40
BASE = ("bash", "git", "cat", "cp", "ls", "mkdir", "mv", "rm")


@pytest.fixture(scope="module")
def readme() -> str:
    return (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)


def commands(text: str) -> list[list[str]]:
    """Every command of the README as words: lines of the blocks, and code between backticks."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    lines += re.findall(r"`([^`\n]+)`", prose)
    found = []
    for line in lines:
        for part in re.split(r"&&|;|\|", line.strip().removeprefix("$ ")):
            words = re.split(r"\s+", part.strip(), maxsplit=1)
            if words[0] in ("dvc", "mlflow", "headstart") and len(words) > 1:
                found.append(shlex.split(part, comments=True))
    return found


def test_the_first_screen_is_two_lines_that_do_everything(readme: str) -> None:
    assert [block.strip() for block in blocks(readme)[:2]] == [MAIN, TEST]
    first_screen = "\n".join(readme.splitlines()[:FIRST_SCREEN_LINES])
    assert len(blocks(first_screen)) >= 2


def test_the_first_screen_needs_no_python_but_3_11(
    readme: str, repo_root: Path, tmp_path: Path
) -> None:
    """Make and activate the environment for real; then every command word comes from there."""
    base = tmp_path / "bin"
    base.mkdir()
    (base / "python3.11").symlink_to(Path(sys._base_executable))  # type: ignore[attr-defined]
    for name in BASE:
        path = next(Path(d, name) for d in os.environ["PATH"].split(":") if Path(d, name).exists())
        (base / name).symlink_to(path)

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(base), "HOME": str(tmp_path)}
        return subprocess.run(
            [str(base / "bash"), "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert shell("command -v python || command -v python3 || command -v pip").returncode == 1
    main_line, test_line = (block.strip() for block in blocks(readme)[:2])
    make, activate, *rest = (part.strip() for part in main_line.split("&&"))
    make_again, activate_again, *rest_of_test = (part.strip() for part in test_line.split("&&"))
    assert (make, activate) == (make_again, activate_again)
    done = shell(f"{make} && {activate} && python --version && command -v python pip")
    assert done.returncode == 0, done.stderr
    version, python, pip = done.stdout.splitlines()
    assert version.startswith("Python 3.11.")
    assert {python, pip} == {f"{tmp_path}/.venv/bin/{name}" for name in ("python", "pip")}

    project = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]
    installed = {package(line) for line in project["dependencies"]}
    for part in rest:
        tool = shlex.split(part)[0]
        assert tool == "pip" or provider(tool) in installed, part
    assert "pytest" in {package(line) for line in project["optional-dependencies"]["test"]}
    assert [shlex.split(part)[0] for part in rest_of_test] == ["pip", "python"]


def package(requirement: str) -> str:
    return re.split(r"[\s=<>~!\[;]", requirement, maxsplit=1)[0]


def provider(script: str) -> str:
    """Return the distribution that installs the command `script`."""
    [entry] = entry_points(group="console_scripts", name=script)
    assert entry.dist is not None
    return entry.dist.name


def test_every_dvc_command_parses(readme: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dvc.cli import parse_args
    shown = [words[1:] for words in commands(readme) if words[0] == "dvc"]
    assert ["repro"] in shown
    for words in shown:
        parse_args(words)


def test_every_headstart_command_parses(readme: str) -> None:
    shown = [words[1:] for words in commands(readme) if words[0] == "headstart"]
    assert shown
    for words in shown:
        check_click(main, words)


def test_every_mlflow_command_parses(readme: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.cli import cli
    shown = [words[1:] for words in commands(readme) if words[0] == "mlflow"]
    assert ["ui"] in shown
    for words in shown:
        check_click(cli, words)


def check_click(group: click.Group, words: list[str]) -> None:
    context = click.Context(group)
    if words[0].startswith("-"):
        group.make_parser(context).parse_args(words)
        return
    command = group.get_command(context, words[0])
    assert command is not None, f"there is no command {words[0]}"
    parser = command.make_parser(click.Context(command, resilient_parsing=True))
    parser.parse_args(words[1:])


@pytest.mark.parametrize(
    ("command", "tool"),
    [("dvc repo", "dvc"), ("dvc repro --fast", "dvc"), ("headstart sink", "headstart")],
)
def test_a_command_that_does_not_exist_is_found(command: str, tool: str) -> None:
    text = f"```bash\n{command}  # a comment\n```\n"
    check = {"dvc": test_every_dvc_command_parses, "headstart": test_every_headstart_command_parses}
    with pytest.raises(Exception, match=r".+"):
        check[tool](text + "```\ndvc repro\nheadstart sync\n```\n")


def test_the_table_of_stages_is_that_of_dvc_yaml(readme: str, repo_root: Path) -> None:
    stages = [stage.name for stage in read_stages(repo_root)]
    assert re.findall(r"^\| *`([a-z]+-[a-z-]+|resize)` *\|", readme, re.M) == stages


def test_every_path_exists_or_is_written_by_a_stage(readme: str, repo_root: Path) -> None:
    stages = read_stages(repo_root)
    made = {out for stage in stages for out in stage.outs} | {"mlflow.db", "dvc.lock", ".venv"}
    missing = [path for path in paths_of(readme) if not exists(path, repo_root, made)]
    assert missing == []


def exists(path: str, root: Path, made: set[str]) -> bool:
    path = path.rstrip("/")
    return (root / path).exists() or any(f"{out}/".startswith(f"{path}/") for out in made)


def paths_of(text: str) -> list[str]:
    """Every path of the README: links, code between backticks, and the file tree."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    spans = [*re.findall(r"`([^`\s]+)`", prose), *re.findall(r"\]\(([^)#:]+)\)", prose)]
    looks = r"(\w[\w.-]*/)+([\w.-]+)?|[\w-]+\.(py|yaml|md|toml|db)"
    found = [span for span in spans if re.fullmatch(looks, span)]
    for block in blocks(text):
        if re.search(r"^dvc\.yaml\b|\bdvc\.yaml  ", block, re.M):
            found += tree_paths(block)
    return found


def tree_paths(block: str) -> list[str]:
    """The paths of a tree drawn by indentation; after two spaces or `#` comes what they are."""
    found: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in filter(str.strip, block.splitlines()):
        indent = len(line) - len(line.lstrip())
        parents = [(depth, folder) for depth, folder in parents if depth < indent]
        prefix = parents[-1][1] if parents else ""
        for word in line.split():
            if not re.fullmatch(r"([\w.-]+/)+[\w.-]*|[\w.-]*\.\w+|LICENSE", word):
                break
            found.append(prefix + word)
        first = line.split()[0]
        if first.endswith("/"):
            parents.append((indent, prefix + first))
    return found


def test_the_reader_of_trees() -> None:
    tree = "README.md  dvc.yaml\nsrc/headstart/  the package\n  core/  formulas\n    a.py  b\nx/ y"
    assert tree_paths(tree) == [
        *("README.md", "dvc.yaml", "src/headstart/", "src/headstart/scores/"),
        *("src/headstart/scores/a.py", "x/"),
    ]


def test_a_path_that_does_not_exist_is_found(repo_root: Path) -> None:
    text = "see `docs/none.md` and [this](src/headstart/none.py)\n```\ndvc.yaml  x\nnone/\n```\n"
    paths = paths_of(text)
    assert [path for path in paths if not exists(path, repo_root, {"dvc.yaml"})] == [
        "docs/none.md",
        "src/headstart/none.py",
        "none/",
    ]
    assert exists("data/2_resized", repo_root, {"data/2_resized/x"})
