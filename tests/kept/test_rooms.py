"""What is kept is keyed by the rooms that make it: those named, held against the imports."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import PACKAGE, STEPS, closure, room_of

MAKERS = {  # of what is kept by picture, and of trials: each makes one kind of record
    "pictures/facts.py",
    "indexing/near_once.py",
    "steps/resize.py",
    "pictures/resized.py",
    "activations/frozen.py",
    "prediction/predictor.py",
    "sweeping/objective.py",
}
OTHERS = {
    "checks/whole_file.py",
    "commands/sweep.py",
    "project/work.py",
    "training/kept_training.py",
}  # of the whole package; the digest itself; of all that a stage declares
ASK = {"once", "made_once", "known_records"}  # what asks for records by a key


def rooms_named(tree: ast.Module) -> set[str]:
    """The module's ROOMS, as literals."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS":
            return set(ast.literal_eval(node.value))
    return set()


def rooms_imported(root: Path, module: str) -> set[str]:
    modules = {module, *closure(root, module)}
    return {m.removeprefix(PACKAGE) if m.startswith(STEPS) else room_of(m) for m in modules}


def called(tree: ast.Module, names: set[str]) -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [c for c in calls if getattr(c.func, "attr", getattr(c.func, "id", "")) in names]


def problems(root: Path) -> Iterator[str]:
    for file in sorted((root / PACKAGE).rglob("*.py")):
        place = file.relative_to(root / PACKAGE).as_posix()
        tree = ast.parse(file.read_text(encoding="utf-8"))
        digests = called(tree, {"code_digest"})
        asks = bool(called(tree, ASK)) and not place.startswith("kept/")
        if place not in MAKERS:
            if (digests and place not in OTHERS) or asks:
                yield f"{place} keeps records and is none of MAKERS."
            continue
        if [ast.unparse(call) for call in digests] != ["code_digest(*ROOMS)"]:
            yield f"{place} must have code_digest(*ROOMS) in the key of what it makes."
        named, imported = rooms_named(tree), rooms_imported(root, PACKAGE + place)
        for room in sorted(named ^ imported):
            yield f"{place}: {room} is not both in its ROOMS and among its imports."


def test_each_maker_names_the_rooms_that_it_imports(repo_root: Path) -> None:
    assert list(problems(repo_root)) == []


# Tests of the test: a copy of the package, one change, and the sentence that must follow.


@pytest.fixture
def copy(repo_root: Path, tmp_path: Path) -> Path:
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repo_root / PACKAGE, tmp_path / PACKAGE, ignore=skipped)
    return tmp_path


def add(root: Path, place: str, text: str) -> None:
    with (root / PACKAGE / place).open("a") as file:
        file.write(text)


def test_a_room_that_is_imported_and_not_named_is_found(copy: Path) -> None:
    add(copy, "views/draws.py", "\nfrom headstart.scores import metrics\n")
    assert "activations/frozen.py: scores is not both in its ROOMS and among its imports." in set(
        problems(copy)
    )


def test_a_room_that_is_named_and_not_imported_is_found(copy: Path) -> None:
    add(copy, "pictures/facts.py", '\nROOMS = ("image_files", "pictures", "project")\n')
    assert list(problems(copy)) == []
    text = (copy / PACKAGE / "pictures/facts.py").read_text()
    (copy / PACKAGE / "pictures/facts.py").write_text(
        text.replace(
            'ROOMS = ("image_files", "pictures", "project")',
            'ROOMS = ("image_files", "pictures", "project", "views")',
        )
    )
    [problem] = problems(copy)
    assert problem.startswith("pictures/facts.py: views is not both")


def test_a_new_maker_is_found(copy: Path) -> None:
    add(copy, "views/draws.py", "\n\ndef _new(once):\n    return once({}, [], None)\n")
    assert list(problems(copy)) == ["views/draws.py keeps records and is none of MAKERS."]
