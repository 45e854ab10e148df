"""Checks dvc.yaml against the code: a stage declares all that it reads, imports and loads."""

import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

MAX_SCRIPT_LINES = 45  # below the imports
NO_SECTION = {"fetch-images", "fetch-weights", "precompute-activations", "publish-run"}
# It always runs, so it declares neither code nor params; it has neither metrics nor a run in MLflow.
ALWAYS = "check-inputs"
# Two paths are in params.yaml, because the user changes them. What check-inputs tells of them makes
# these stages run again. It is a dep, never an argument.
SOURCES = {
    "fetch-images": "data/0_source/pictures.json",
    "fetch-weights": "data/0_source/weights.json",
}
PACKAGE = "src/headstart/"
# Each command runs the code beside its dvc.yaml, in a warm process where there is one.
BEGINNING = ("PYTHONPATH=src", "python", "-SE", f"{PACKAGE}warm/run.py")
STEPS = f"{PACKAGE}steps/"
# Output to the terminal and the tracker, where work runs, checks of params.yaml, what reads or exports
# finished results, sweeps, the user's commands, what starts a stage: no output's bytes depend on these
# rooms, so no stage declares them.
UNDECLARED = frozenset(
    {
        *("terminal", "tracking", "cluster", "checks", "comparison", "sweeping"),
        *("use", "exporting", "demo", "commands", "warm"),
    }
)
# What `from headstart import ...` gives to Python; it is imported when it is asked for.
FRONT = f"{PACKAGE}__init__.py"
# publish-run is the exception: what it writes to the tracker is its result.
DECLARED_BY = {"publish-run": frozenset({"tracking"})}
# Only these use the room `reporting`, so that an edit of a figure or a page trains nothing again.
REPORTS = frozenset({"confusion-report", "write-submission"})
# Its page says where and when each stage ran, so it is no function of the inputs.
TELLS_OF_RUNS = "confusion-report"
# These load no section `runtime`, but versions of packages shape what they write. `load_section` reads
# which of them a stage insists on.
SHAPED_BY_VERSIONS = frozenset({"index-images", "resize", "audit-labels", "tta-evaluate"})
PINS = frozenset({"runtime.versions", "runtime.pinned"})
WORK_FOLDER = (".headstart", f"{PACKAGE}project/work.py")


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml, templates resolved."""

    name: str
    words: list[str]
    arguments: list[tuple[str, str]]
    deps: set[str]
    outs: set[str]
    params: set[str]

    @property
    def snake(self) -> str:
        return self.name.replace("-", "_")

    @property
    def script(self) -> str:
        return f"stages/{self.snake}.py"

    @property
    def code(self) -> set[str]:
        """The rooms that the stage declares, and its step."""
        return {dep for dep in self.deps if dep.startswith("src/")}

    @property
    def data(self) -> set[str]:
        return self.deps - self.code - {self.script}


def read_yaml(path: Path) -> Any:
    return _yaml(path.read_text(encoding="utf-8"))


@cache
def _yaml(text: str) -> Any:
    """Parse each text once, as the tests change one file of many."""
    return YAML(typ="safe", pure=True).load(text)


def read_stages(root: Path) -> list[Stage]:
    """Read every stage of the root's dvc.yaml, in its order."""
    params = read_yaml(root / "params.yaml")
    stages = read_yaml(root / "dvc.yaml")["stages"]
    return [_stage(name, entry, params) for name, entry in stages.items()]


def problems(root: Path) -> list[str]:
    """Return every breach of the contract as a sentence."""
    stages = read_stages(root)
    found = [problem for stage in stages for problem in _stage_problems(root, stage)]
    found += _mirror_problems(root, stages)
    found += _publish_problems(root, stages)
    found += _source_problems(root)
    return found


def _stage(name: str, entry: dict[str, Any], params: dict[str, Any]) -> Stage:
    def resolved(text: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda match: str(_value(params, match[1])), text)

    def paths(kind: str) -> set[str]:
        items = entry.get(kind, [])
        return {resolved(item if isinstance(item, str) else next(iter(item))) for item in items}

    words = shlex.split(resolved(entry["cmd"]))
    deps = paths("deps") - {SOURCES.get(name, "")}
    outs = paths("outs") | paths("metrics") | paths("plots")
    rest = words[len(BEGINNING) + 1 :]
    arguments = list(zip(rest[::2], rest[1::2], strict=False))
    return Stage(name, words, arguments, deps, outs, _declared_sections(entry, params))


def _declared_sections(entry: dict[str, Any], params: dict[str, Any]) -> set[str]:
    """The sections that a stage lists; all, if it lists the whole file."""
    listed = entry.get("params", [])
    return set(params) if listed == [{"params.yaml": None}] else set(map(str, listed))


def _value(params: Any, key: str) -> Any:
    for part in key.strip().split("."):
        params = params[part]
    return params


def _stage_problems(root: Path, stage: Stage) -> Iterator[str]:
    name = stage.name
    beginning = [*BEGINNING, stage.script]
    if stage.words[: len(beginning)] != beginning:
        yield f"{name}: the command must begin with {' '.join(beginning)}."
    if not (root / stage.script).is_file():
        yield f"{name}: {stage.script} does not exist."
        return
    text = (root / stage.script).read_text(encoding="utf-8")
    n_lines = len(text[text.index("@click.command") :].splitlines())
    if n_lines > MAX_SCRIPT_LINES:
        yield f"{name}: {stage.script} is longer than {MAX_SCRIPT_LINES} lines below its imports."
    tree = ast.parse(text)
    yield from _path_problems(stage, tree)
    yield from _import_problems(tree, stage.script)
    keywords = [keyword for call in _calls(tree, "command") for keyword in call.keywords]
    if [ast.unparse(k.value) for k in keywords if k.arg == "cls"] != ["PlainCommand"]:
        yield f"{name}: {stage.script} must be a PlainCommand, which tells errors in a sentence."
    if name == ALWAYS:
        yield from _always_problems(root)
        return
    yield from _start_problems(stage, tree)
    sections = _sections(root, tree) | (PINS if name in SHAPED_BY_VERSIONS else frozenset())
    yield from _difference(name, "section", sections, stage.params, "loads")
    if name not in NO_SECTION and stage.snake not in stage.params:
        yield f"{name}: it has no section {stage.snake} of its own."
    rooms = rooms_of(closure(root, stage.script, UNDECLARED - DECLARED_BY.get(name, frozenset())))
    yield from _difference(name, "room", rooms, stage.code, "imports")
    if name not in REPORTS and f"{PACKAGE}reporting" in rooms | stage.code:
        yield f"{name}: it is no report, and uses the room of the reports."
    if stage.script not in stage.deps:
        yield f"{name}: it runs {stage.script} and does not declare it."
    if name != "publish-run":
        for out in (f"metrics/{stage.snake}.json", f"data/7_runs/{stage.snake}.json"):
            if out not in stage.outs:
                yield f"{name}: {out} is no out."
        if _first_arguments(tree, "stage_run") != [name]:
            yield f'{name}: {stage.script} must track one run, stage_run("{name}", ...).'
        yield from _uncached_problems(root, name)
        if len(list(_calls(tree, "says"))) != 1:
            yield f"{name}: {stage.script} must say one line at its end, run.says(...)."


def _always_problems(root: Path) -> Iterator[str]:
    """Yield what lets DVC skip check-inputs, remove its outs, or look at a source itself."""
    stages = read_yaml(root / "dvc.yaml")["stages"]
    entry, outs = stages[ALWAYS], sorted(SOURCES.values())
    if set(entry) != {"cmd", "always_changed", "outs"} or entry["always_changed"] is not True:
        yield f"{ALWAYS}: it must have cmd, outs and always_changed: true, and nothing else."
    if entry["outs"] != [{out: {"persist": True}} for out in outs]:
        yield f"{ALWAYS}: its outs must be {outs}, each with persist: true."
    for name, out in SOURCES.items():
        if out not in stages[name]["deps"]:
            yield f"{name}: it must depend on {out}."
        for dep in stages[name]["deps"]:
            if "${" in dep:
                yield f"{name}: it must not depend on {dep}, which may be absent."


def _start_problems(stage: Stage, tree: ast.Module) -> Iterator[str]:
    """Yield a stage that imports anything before it starts."""
    wanted = [
        [
            "from headstart.tracking.start import start_stage",
            f"if __name__ == '__main__':\n    start_stage({together})",
        ]
        for together in ("", "together=True")
    ]
    if [ast.unparse(node) for node in tree.body[1:3]] not in wanted:
        yield f"{stage.name}: {stage.script} must call start_stage first, before the other imports."


def _uncached_problems(root: Path, name: str) -> Iterator[str]:
    """Yield outs that lose DVC's run cache, and metrics and plots that git would not keep."""
    entry = read_yaml(root / "dvc.yaml")["stages"][name]
    for out in entry["outs"]:
        if not isinstance(out, str):
            yield f"{name}: {next(iter(out))} must be a plot or a metric, for DVC's run cache."
    for out in (*entry.get("metrics", []), *entry.get("plots", [])):
        if isinstance(out, str) or next(iter(out.values())) != {"cache": False}:
            yield f"{name}: {out} must have cache: false, so that git keeps it."


def _path_problems(stage: Stage, tree: ast.Module) -> Iterator[str]:
    name = stage.name
    given = {option for option, _ in stage.arguments}
    if len(stage.words) % 2 == 0 or not all(option.startswith("--") for option in given):
        yield f"{name}: the command line must be pairs of --option and path."
    for option in sorted(given ^ set(_first_arguments(tree, "option"))):
        yield f"{name}: {option} is not both an option of {stage.script} and on its command line."
    paths = {path for _, path in stage.arguments}
    yield from _difference(name, "path", paths, stage.data | stage.outs, "is given")
    for dep in sorted(stage.deps):
        for out in sorted(stage.outs):
            if f"{out}/".startswith(f"{dep}/") or f"{dep}/".startswith(f"{out}/"):
                yield f"{name}: it reads {dep} and writes {out} into it."


def _difference(
    name: str, kind: str, used: set[str], declared: set[str], verb: str
) -> Iterator[str]:
    for item in sorted(used - declared):
        yield f"{name}: it {verb} the {kind} {item} and does not declare it."
    for item in sorted(declared - used):
        yield f"{name}: it declares the {kind} {item} and no code of it {verb} that."


def _mirror_problems(root: Path, stages: list[Stage]) -> Iterator[str]:
    """Yield each stage without exactly one script, one step with one public function, one test file."""
    names = {stage.snake for stage in stages}
    for folder, pattern in (
        ("stages", "{}.py"),
        (STEPS.rstrip("/"), "{}.py"),
        ("tests/steps", "test_{}.py"),
    ):
        files = {path.name for path in (root / folder).glob("*.py")} - {
            "__init__.py",
            "conftest.py",
        }
        expected = {pattern.format(name) for name in names}
        for file in sorted(files ^ expected):
            yield f"{folder}/{file} and the stages of dvc.yaml do not go together."
    for name in sorted(names):
        path = root / f"src/headstart/steps/{name}.py"
        if path.exists():
            public = [
                node.name
                for node in ast.parse(path.read_text(encoding="utf-8")).body
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            ]
            if public != [name]:
                yield f"steps/{name}.py must have one public function, {name}; it has {public}."


def _publish_problems(root: Path, stages: list[Stage]) -> Iterator[str]:
    """Yield what publish-run lacks: a metric, a run, or the settings by which DVC never restores it.

    What it reads too much: each file in its folder of metrics becomes a part of the row.
    """
    entry = read_yaml(root / "dvc.yaml")["stages"].get("publish-run")
    if entry is None:
        return
    own, never_restored = "state.json", {"cache": False, "persist": True}
    if entry.get("outs") != [{own: never_restored}] or entry.get("metrics") or entry.get("plots"):
        yield f"publish-run: its one out must be {own} with {never_restored}, so never restored."
    publish = next(stage for stage in stages if stage.name == "publish-run")
    outs = {out for stage in stages if stage is not publish for out in stage.outs}
    needed = {out for out in outs if out.startswith(("metrics/", "data/7_runs/"))}
    for path in sorted(needed):
        if not any(path.startswith(f"{dep}/") for dep in publish.deps):
            yield f"publish-run: it does not read {path}."
    for path in sorted(file.relative_to(root).as_posix() for file in root.glob("metrics/*.json")):
        if path not in needed:
            yield f"publish-run: it reads {path}, which no stage writes."
    for stage in stages:
        if stage is not publish and stage.name != TELLS_OF_RUNS:
            for path in sorted(stage.deps):
                if path.startswith("data/7_runs/"):
                    yield f"{stage.name}: it reads {path}, which is no function of the inputs."


def _source_problems(root: Path) -> Iterator[str]:
    """Yield paths written in the package and imports in its __init__ files."""
    for path in sorted((root / "src/headstart").rglob("*.py")):
        place = path.relative_to(root).as_posix()
        yield from _text_problems(path.read_text(encoding="utf-8"), place)


@cache
def _text_problems(text: str, place: str) -> tuple[str, ...]:
    return tuple(_problems_of_one_file(ast.parse(text), place))


def _problems_of_one_file(tree: ast.Module, place: str) -> Iterator[str]:
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    code = [node for node in tree.body if getattr(node, "value", None) not in prose]
    yield from _import_problems(tree, place)
    if place == FRONT:
        code = [node for node in code if _runs_at_import(node)]
    if place.endswith("/__init__.py") and code:
        yield f"{place} must be empty: a re-export ties every stage to every module."
    for node in ast.walk(tree):
        if node not in prose and isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.match(r"(\./)?data/", node.value):
                yield f"{place}:{node.lineno} knows the path {node.value!r}."
            if node.value.startswith(WORK_FOLDER[0]) and place != WORK_FOLDER[1]:
                yield f"{place}:{node.lineno} opens the work folder {node.value!r}."
        if room_of(place) in ("checks", "warm") or not isinstance(node, ast.Call):
            continue
        if _called(node) in ("import_module", "__import__"):
            yield f"{place}:{node.lineno} imports a module that no reader can see."


def _runs_at_import(node: ast.stmt) -> bool:
    """Whether a statement may import more than types when its file is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) != "TYPE_CHECKING"
    harmless = isinstance(node, ast.Assign | ast.FunctionDef)
    return not harmless and ast.unparse(node) != "from typing import TYPE_CHECKING"


def _import_problems(tree: ast.Module, place: str) -> Iterator[str]:
    """Yield what importing a file does beside defining names; a main block may do anything."""
    todo: list[ast.stmt] = list(tree.body)
    for node in todo:
        if isinstance(node, ast.If | ast.For | ast.While | ast.Try):
            if not (
                isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
            ):
                todo += [child for child in ast.walk(node) if isinstance(child, ast.stmt)][1:]
        elif _changes(node):
            yield f"{place}:{node.lineno} does something at import: {ast.unparse(node)}."


def _changes(node: ast.stmt) -> bool:
    """Whether a statement calls a function for its effect, sets foreign state, or starts a process."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if not isinstance(node, ast.Assign | ast.AugAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    elsewhere = any(isinstance(target, ast.Subscript | ast.Attribute) for target in targets)
    return elsewhere or any(_calls(node.value, "Popen"))


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) == name:
            yield node


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _first_arguments(tree: ast.AST, name: str) -> list[str]:
    """Return the first argument of every call of `name`; if it is no literal, its source."""
    arguments = [call.args[0] for call in _calls(tree, name) if call.args]
    return [str(a.value) if isinstance(a, ast.Constant) else ast.unparse(a) for a in arguments]


def _sections(root: Path, tree: ast.Module) -> set[str]:
    """Return the sections that a script loads: all, if it reads the whole file."""
    if any(_calls(tree, "read_params")):
        return set(read_yaml(root / "params.yaml"))
    return set(_first_arguments(tree, "load_section"))


def closure(root: Path, script: str, apart: frozenset[str] = UNDECLARED) -> set[str]:
    """Return every module of the package that `script` imports, directly or not, as paths.

    Imports inside functions count. Modules in the rooms `apart` cannot change an output's bytes: they
    are not listed, nor is what only they import. __init__ files import nothing, which is checked.
    """
    seen: set[str] = set()
    todo = [script]
    while todo:
        for module in _imports(root, todo.pop()):
            if module not in seen and room_of(module) not in apart:
                seen.add(module)
                todo.append(module)
    return {module for module in seen if not module.endswith("__init__.py")}


def room_of(module: str) -> str:
    """The room of a module's path: the first folder below the package."""
    return module.removeprefix(PACKAGE).split("/")[0]


def rooms_of(modules: Iterable[str]) -> set[str]:
    """The deps in dvc.yaml for these modules: a room as its folder, a step as its file."""
    return {m if m.startswith(STEPS) else PACKAGE + room_of(m) for m in modules}


def _imports(root: Path, place: str) -> Iterator[str]:
    """Yield the files of the package that one file imports."""
    for name in _imported_names((root / place).read_text(encoding="utf-8"), place):
        path = f"src/{name.replace('.', '/')}"
        for file in (f"{path}.py", f"{path}/__init__.py"):
            if (root / file).is_file():
                yield file


@cache
def _imported_names(text: str, place: str) -> tuple[str, ...]:
    """Return the dotted names of the package that this text, as the file `place`, imports."""
    package = place.removeprefix("src/").split("/")[:-1]
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(name for name in found if name.split(".")[0] == "headstart")
