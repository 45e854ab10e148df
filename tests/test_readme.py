"""The README: its first screen works; its tables agree with dvc.yaml and with the measurements."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from bench.headlines import figures_table, scores_table
from bench.tables import RESULTS, compare_table, filled

from tests.contract import ALWAYS, PACKAGE, Stage, read_stages, read_yaml
from tests.pages import blocks, of_tool, read_page, rows_of

CLONE = "git clone ADDRESS-OF-THIS-REPOSITORY headstart && cd headstart"
INSTALL = "python3.11 -m venv .venv && . .venv/bin/activate && pip install -e"
MAIN = f"{INSTALL} . && dvc repro"
TEST = f"{INSTALL} '.[test]' && python -m pytest"
FIRST_SCREEN_LINES, MAX_LINES = 40, 200
BASE = ("bash", "git", "cat", "cp", "ls", "mkdir", "mv", "rm")


@pytest.fixture(scope="module")
def readme() -> str:
    return read_page("README.md")


def test_the_first_screen_is_three_lines_that_do_everything(readme: str) -> None:
    assert [block.strip() for block in blocks(readme)[:3]] == [CLONE, MAIN, TEST]
    first_screen = "\n".join(readme.splitlines()[:FIRST_SCREEN_LINES])
    assert len(blocks(first_screen)) >= 3


def test_it_is_one_screen_and_a_half(readme: str) -> None:
    assert len(readme.splitlines()) <= MAX_LINES


def test_ci_finds_the_line_of_the_tests(readme: str, repo_root: Path) -> None:
    match = re.search(r"grep --max-count=1 '(.*)' README.md", (repo_root / ".ci/run").read_text())
    assert match is not None
    assert [line for line in readme.splitlines() if re.search(match[1], line)][:1] == [TEST]


def test_the_first_screen_needs_no_python_but_3_11(
    readme: str, repo_root: Path, tmp_path: Path
) -> None:
    """Make and activate a real environment; every command must then come from it."""
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
    _, main_line, test_line = (block.strip() for block in blocks(readme)[:3])
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


@pytest.mark.parametrize(
    ("tool", "words"), [("dvc", "repro"), ("mlflow", "ui"), ("headstart", "check")]
)
def test_it_shows_the_commands_that_everybody_needs(readme: str, tool: str, words: str) -> None:
    assert [words] in of_tool(readme, tool)


def test_the_table_of_stages_is_that_of_dvc_yaml(readme: str, repo_root: Path) -> None:
    """The table has the stages in order, and the sections of params.yaml that each declares.

    A stage that declares no more than keys of a section does not read it.
    """
    stages, sections = read_stages(repo_root), set(read_yaml(repo_root / "params.yaml"))
    said = [(row[0].strip("`"), quoted(row[3]) or sections) for row in rows_of(readme, "stage")]
    declared = {stage.name: stage.params & sections for stage in stages}
    declared[ALWAYS] = sections  # which it reads without declaring them
    assert said == list(declared.items())


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_table_of_rooms_is_what_dvc_yaml_declares(readme: str, repo_root: Path) -> None:
    stages = [stage for stage in read_stages(repo_root) if stage.name != ALWAYS]
    rows = rows_of(readme, "room")
    said = {room: row[-1] for row in rows for room in quoted(row[0])}
    there = {path.parent.name for path in (repo_root / PACKAGE).glob("*/__init__.py")}
    assert set(said) == there
    assert said.pop("steps") == "the stage of that name"
    wrong = {
        room: f"the README says {sorted(reruns(cell, stages))}, dvc.yaml {sorted(by(room, stages))}"
        for room, cell in said.items()
        if reruns(cell, stages) != by(room, stages)
    }
    assert wrong == {}


def by(room: str, stages: Iterable[Stage]) -> set[str]:
    """The stages that declare a room."""
    return {stage.name for stage in stages if PACKAGE + room in stage.code}


def reruns(cell: str, stages: Iterable[Stage]) -> set[str]:
    """The stages that a cell names: all, nothing, patterns, or all but patterns."""
    names = [stage.name for stage in stages]
    patterns = quoted(cell)
    idle = [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in names)]
    assert idle == [], f"no stage has such a name; the cell is {cell}"
    found = {name for name in names if any(fnmatch(name, pattern) for pattern in patterns)}
    if cell.startswith("all"):
        return set(names) - found
    assert patterns or cell == "nothing", cell
    return found


def test_the_reader_of_the_table_of_rooms() -> None:
    stages = [Stage(name, [], [], set(), set(), set()) for name in ("a-x", "a-y", "b")]
    assert reruns("all", stages) == {"a-x", "a-y", "b"}
    assert reruns("all but `a-*`", stages) == {"b"}
    assert reruns("`a-x`, `b`", stages) == {"a-x", "b"}
    assert reruns("nothing", stages) == set()
    with pytest.raises(AssertionError, match="no stage has such a name"):
        reruns("`c-*`", stages)


def test_three_figures_are_those_of_the_long_tables() -> None:
    rows = [line.split(" | ") for line in figures_table(RESULTS).splitlines()[2:5]]
    wholes = [compare_table(read_yaml(RESULTS / f"{n}.json")) for n in ("textile-224", "textile")]
    assert len(rows) == 3
    for _, ours, theirs, ratio in rows:
        assert f"| {ours} | {theirs} | {ratio.removesuffix(' |')} |" in "".join(wholes)


def test_the_scores_are_those_of_the_default_run(readme: str, repo_root: Path) -> None:
    headline = read_yaml(repo_root / "scores.json")
    last = scores_table().splitlines()[-1].split(" | ")
    keys = ("valid", "valid_tta", "test", "test_tta")
    assert [cell.split()[0] for cell in last[1:]] == [f"{headline[key]:.4f}" for key in keys]
    assert scores_table() in readme and figures_table(RESULTS) in readme


def test_a_place_for_a_table_waits_for_its_result(tmp_path: Path) -> None:
    empty = "a <!-- bench: none --><!-- /bench --> b"
    assert filled(empty, tmp_path) == empty
