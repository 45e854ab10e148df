"""The Dockerfile and the dev container: what they install is what the README installs."""

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from tests.pages import blocks, read_page

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "examples/docker/Dockerfile"
DEV = ROOT / "examples/.devcontainer/devcontainer.json"
FORMS = {  # instruction -> what its words must look like
    "FROM": r"python:3\.11",
    "ARG": r'[A-Z]+="[^"]*"',
    "WORKDIR": r"/\S+",
    "COPY": r"(\S+ )+\S+",
    "RUN": r"\S.*",
    "CMD": r'\["[^"]+"(, "[^"]+")*\]',
}


def instructions(path: Path = DOCKERFILE) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile, with its words; a line that is none is an error."""
    found = []
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, words = line.partition(" ")
            assert re.fullmatch(FORMS[name], words), line
            found.append((name, words))
    return found


def installs() -> list[list[str]]:
    """The words of each `pip install` of the README's first screen."""
    parts = [part for block in blocks(read_page("README.md"))[:3] for part in block.split("&&")]
    return [words for words in map(shlex.split, parts) if words[:2] == ["pip", "install"]]


def test_every_run_line_is_a_pip_command_of_the_readme() -> None:
    runs = [words for name, words in instructions() if name == "RUN"]
    assert [shlex.split(run.replace("${EXTRAS}", "")) for run in runs] == [installs()[0]]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert [shlex.split(run.replace("${EXTRAS}", "[test]")) for run in runs] == [installs()[1]]
    assert "test" in extras


def test_it_takes_only_what_pip_needs_and_that_is_there() -> None:
    ignored = (DOCKERFILE.parent / f"{DOCKERFILE.name}.dockerignore").read_text().split()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        word for name, words in instructions() if name == "COPY" for word in words.split()[:-1]
    }
    assert ignored[0] == "*" and copied == kept
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", project["readme"], "src"} <= copied
    assert all(any(fnmatch(name, each) for name in copied) for each in project["license-files"])


def test_it_runs_the_pipeline_of_the_mounted_project() -> None:
    found = instructions()
    assert json.loads(found[-1][1]) == ["dvc", "repro"]
    assert [words for name, words in found if name == "WORKDIR"][-1] == "/project"


def test_the_dev_container_starts_with_the_readmes_line() -> None:
    dev = json.loads(DEV.read_text())
    test_line = blocks(read_page("README.md"))[2].strip()
    assert f"{dev['postCreateCommand']} && python -m pytest" == test_line
    assert ("FROM", dev["image"]) in instructions()
    known = {"name", "image", "postCreateCommand", "containerEnv", "runArgs", "hostRequirements"}
    known |= {"forwardPorts", "portsAttributes", "customizations"}
    assert set(dev) <= known
