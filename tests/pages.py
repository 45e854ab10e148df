"""Reads commands, paths, links and keys from README, CONTRIBUTING, CHANGELOG and docs/*.md."""

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))),
)
UNQUOTED = "(?=(?:[^']*'[^']*')*[^']*$)"  # what follows has no quotation open
TOOLS = ("dvc", "mlflow", "headstart", "python", "cp")
A_STAGE = "resize"  # stands for {name} in a path


def read_page(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, language: str = r"\w*") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def prose(text: str) -> str:
    """The text without its blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def spans(text: str) -> list[str]:
    """The text between backticks in the prose."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def commands(text: str) -> list[list[str]]:
    """Every command of one of TOOLS, as words; from lines of the blocks and code between backticks."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    found = []
    for line in [*lines, *spans(text)]:
        for part in re.split(rf"(?:&&|;|\|){UNQUOTED}", line.strip().removeprefix("$ ")):
            part = re.sub(r"^(\w+=\S* )+", "", part.strip())
            words = re.split(r"\s+", part, maxsplit=1)
            if words[0] in TOOLS and len(words) > 1:
                found.append(shlex.split(part, comments=True))
    return found


def of_tool(text: str, tool: str) -> list[list[str]]:
    """The commands of one tool, without its name."""
    return [words[1:] for words in commands(text) if words[0] == tool]


def paths_of(text: str) -> list[str]:
    """Every path of a page, from the root; from code between backticks and the file tree."""
    looks = r"(\.?\w[\w.-]*/)+([\w.-]+)?|[\w-]+\.(py|yaml|md|toml|db|json)|LICENSE"
    named = [span.replace("{name}", A_STAGE) for span in spans(text)]
    found = [path for path in named if re.fullmatch(looks, path)]
    for block in blocks(text):
        if re.search(r"^dvc\.yaml\b|\bdvc\.yaml  ", block, re.M):
            found += tree_paths(block)
    return found


def links_of(text: str) -> list[str]:
    """Links and pictures of the page that are no web addresses, relative to the page's folder."""
    return re.findall(r"\]\(((?!\w+://)[^)\s]+)\)", prose(text))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def tree_paths(block: str) -> list[str]:
    """The paths of a tree drawn by indentation; a description follows two spaces or `#`."""
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


def exists(path: str, root: Path, made: set[str]) -> bool:
    """Whether a path exists or is in `made` (outs of stages and commands), or is a folder above one."""
    path = path.rstrip("/")
    return (root / path).exists() or any(f"{out}/".startswith(f"{path}/") for out in made)


def keys_of(text: str, params: Mapping[str, Any]) -> list[str]:
    """Dotted keys of sections in `params`; from code between backticks, and after `-S` in a command."""
    said = [
        match[0] for span in spans(text) if (match := re.match(r"[a-z_]+(\.[a-z_*\d]+)+", span))
    ]
    for words in commands(text):
        said += [b.partition("=")[0] for a, b in pairwise(words) if a == "-S"]
    return [key for key in said if key.partition(".")[0] in params]


def has_key(params: Any, key: str) -> bool:
    """Whether `params` has a dotted key; `*` stands for any item of a list."""
    for part in key.split("."):
        if isinstance(params, list):
            params = params[0 if part == "*" else int(part)]
        elif part in params:
            params = params[part]
        else:
            return False
    return True


def rows_of(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose head begins with the cell `first`."""
    match = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
    assert match is not None, f"there is no table of {first}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in match[1].splitlines()]


def sentences(text: str) -> Iterator[str]:
    """Sentences of the prose, with single spaces, without headings and tables.

    What `bench.tables` fills in is left out whole: it says date and machine below each table.
    """
    text = re.sub(r"<!-- bench: .*?<!-- /bench -->", "", text, flags=re.DOTALL)
    lines = [line for line in prose(text).splitlines() if not line.startswith(("|", "#", "<!--"))]
    for paragraph in "\n".join(lines).split("\n\n"):
        yield from re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split()))
