"""The pages for people: commands parse; paths, links and keys exist; no sentence appears twice."""

import importlib
import importlib.util
import runpy
import tomllib
import warnings
from collections import Counter
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from headstart.commands.cli import main
from headstart.project.section import Section
from headstart.training.phases import FinetuneOptimizerParams, PhaseParams
from tests.contract import read_stages, read_yaml
from tests.pages import (
    PAGES,
    anchors,
    blocks,
    exists,
    has_key,
    keys_of,
    links_of,
    of_tool,
    paths_of,
    read_page,
    sentences,
    tree_paths,
)

DOCS = Path(__file__).parents[1] / "docs"
MADE = {
    *("mlflow.db", "dvc.lock", ".venv", ".headstart/work", "seeds.json", ".dvc/tmp/rwlock"),
    *(".headstart/sweep.patch", ".headstart/sweep.csv", ".headstart/sweep.png"),
}  # paths that a command makes

pages = pytest.mark.parametrize("page", PAGES)


@pages
def test_every_dvc_command_parses(page: str) -> None:
    check_dvc(read_page(page))


def check_dvc(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dvc.cli import parse_args
    for words in of_tool(text, "dvc"):
        parse_args(words)


@pages
def test_every_headstart_command_parses(page: str) -> None:
    check_headstart(read_page(page))


def check_headstart(text: str) -> None:
    for words in of_tool(text, "headstart"):
        check_group(main, words)


@pages
def test_every_mlflow_command_parses(page: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.cli import cli
    for words in of_tool(read_page(page), "mlflow"):
        check_group(cli, words)


def check_group(group: click.Group, words: list[str]) -> None:
    context = click.Context(group)
    if words[0].startswith("-"):
        group.make_parser(context).parse_args(words)
        return
    command = group.get_command(context, words[0])
    assert command is not None, f"there is no command {words[0]}"
    check_command(command, words[1:])


def check_command(command: click.Command, words: list[str]) -> None:
    command.make_parser(click.Context(command)).parse_args(words)


@pages
def test_every_python_command_is_there(page: str, repo_root: Path) -> None:
    check_python(read_page(page), repo_root)


def check_python(text: str, root: Path) -> None:
    """Check a `python` command: a benchmark's module with its options, or a script of ours."""
    for first, *words in of_tool(text, "python"):
        if first != "-m":
            assert (root / first).is_file(), first
            continue
        module, *rest = words
        assert importlib.util.find_spec(module) is not None, module
        if module.startswith("bench."):
            check_command(importlib.import_module(module).main, rest)


@pages
def test_every_recipe_that_is_copied_is_there(page: str, repo_root: Path) -> None:
    for source, target in of_tool(read_page(page), "cp"):
        assert (repo_root / source).is_file() and (repo_root / target).is_file()


@pytest.mark.parametrize(
    "command", ["dvc repo", "dvc repro --fast", "headstart sink", "headstart seeds 3 --fast"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    text = f"```bash\n{command}  # a comment\n```\n"
    with pytest.raises(Exception, match=r".+"):
        (check_dvc if command.startswith("dvc") else check_headstart)(text)


@pytest.mark.parametrize(
    "command", ["-m bench.nothing", "-m bench.compare --fast", "docs/nothing.py"]
)
def test_a_python_command_that_does_not_exist_is_found(command: str, repo_root: Path) -> None:
    with pytest.raises(Exception, match=r".+"):
        check_python(f"By `PYTHONPATH=src python {command}`.", repo_root)


@pages
def test_every_path_exists_or_is_written_by_a_stage(page: str, repo_root: Path) -> None:
    made = {out for stage in read_stages(repo_root) for out in stage.outs} | MADE
    missing = [path for path in paths_of(read_page(page)) if not exists(path, repo_root, made)]
    assert missing == []


def test_the_reader_of_trees() -> None:
    tree = (
        "README.md  dvc.yaml\nsrc/headstart/  the package\n  scores/  formulas\n    a.py  b\nx/ y"
    )
    assert tree_paths(tree) == [
        *("README.md", "dvc.yaml", "src/headstart/", "src/headstart/scores/"),
        *("src/headstart/scores/a.py", "x/"),
    ]


def test_a_path_that_does_not_exist_is_found(repo_root: Path) -> None:
    text = "see `docs/none.md` and `stages/{name}.py`\n```\ndvc.yaml  x\nnone/\n```\n"
    paths = paths_of(text)
    assert "stages/resize.py" in paths
    assert [path for path in paths if not exists(path, repo_root, {"dvc.yaml"})] == [
        "docs/none.md",
        "none/",
    ]
    assert exists("data/2_resized", repo_root, {"data/2_resized/x"})


@pages
def test_every_link_leads_somewhere(page: str, repo_root: Path) -> None:
    assert dead_links(read_page(page), (repo_root / page)) == []


def dead_links(text: str, file: Path) -> list[str]:
    """Links of the page `file` to a file or heading that does not exist."""
    dead = []
    for link in links_of(text):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            dead.append(link)
    return dead


def test_a_dead_link_is_found() -> None:
    text = "[a](none.md), [b](recipes.md#none), [c](recipes.md#scores), [d](https://example.org/x)"
    assert dead_links(text, DOCS / "page.md") == ["none.md", "recipes.md#none"]


@pages
def test_every_key_is_one_of_params_yaml(page: str, repo_root: Path) -> None:
    params = read_yaml(repo_root / "params.yaml")
    assert [key for key in keys_of(read_page(page), params) if not has_key(params, key)] == []
    for block in blocks(read_page(page), "yaml"):
        for section, values in YAML(typ="safe").load(block).items():
            assert [key for key in values if not has_key(params, f"{section}.{key}")] == []


def test_a_key_that_does_not_exist_is_found() -> None:
    params = {"a": {"b": [{"c": 1}]}}
    keys = keys_of("`a.b.*.c: 1`, `a.b.*.d`, `x.y` and `dvc exp run -S a.z=1`", params)
    assert keys == ["a.b.*.c", "a.b.*.d", "a.z"]
    assert [has_key(params, key) for key in keys] == [True, False, False]


def test_no_sentence_stands_twice() -> None:
    said = Counter(sentence for page in PAGES for sentence in set(sentences(read_page(page))))
    assert [text for text, n in said.items() if n > 1 and len(text.split()) > 5] == []


def test_the_licence_is_the_one_that_the_package_names(repo_root: Path) -> None:
    project = tomllib.loads((repo_root / "pyproject.toml").read_text())["project"]
    [name] = project["license-files"]
    text = (repo_root / name).read_text()
    assert project["license"] == "Apache-2.0" and "Version 2.0, January 2004" in text
    assert "Copyright 2026 the headstart developers" in text and "END OF TERMS" in text


@pytest.mark.parametrize("model", [PhaseParams, FinetuneOptimizerParams])
def test_fine_tuning_tells_of_every_key(model: type[Section]) -> None:
    text = (DOCS / "fine_tuning.md").read_text(encoding="utf-8")
    assert [key for key in model.model_fields if f"`{key}`" not in text] == []
    for key in ("stop_when_worse", "monitor", "keep: best", "n_snapshots", "snapshots"):
        assert key in text


def test_the_picture_of_the_schedules_is_drawn_by_its_script(tmp_path: Path) -> None:
    figure = runpy.run_path(str(DOCS / "make_schedules.py"))["schedules_figure"]()
    figure.savefig(tmp_path / "drawn.png", metadata={"Software": None})
    drawn, shown = (
        np.asarray(Image.open(path).convert("L"), dtype=float)
        for path in (tmp_path / "drawn.png", DOCS / "schedules.png")
    )
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 3  # matplotlib's versions draw slightly differently
