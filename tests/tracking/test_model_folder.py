"""The folder of a logged model: its code and its requirements are enough, and it costs no space."""

import ast
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

from headstart.tracking.model_folder import (
    LOADER,
    OF_ONNX,
    OF_TORCH,
    link_or_copy,
    requirements,
    write_code,
    write_folder,
)
from tests.contract import closure
from tests.saved_networks import save_networks

# pillow's plugins are used only where they are installed, and here they are not
PLUGINS = {"pillow_heif": "pillow-heif", "pillow_jxl": "pillow-jxl-plugin"}


def test_the_requirements_name_all_that_the_loader_imports(repo_root: Path) -> None:
    loader = f"src/{LOADER.replace('.', '/')}.py"
    files = closure(repo_root, loader, frozenset()) | {loader}
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse((repo_root / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    known = dict(packages_distributions()) | {name: [package] for name, package in PLUGINS.items()}
    outside = {name for name in names if name not in sys.stdlib_module_names} - {"headstart"}
    assert {"torch", "timm", "PIL"} <= outside
    needed = {known[name][0].lower().replace("_", "-") for name in outside}
    both = {*OF_TORCH, *OF_ONNX}
    assert needed <= both
    assert both - needed <= {"mlflow"}


@pytest.mark.parametrize(("packages", "own"), [(OF_TORCH, "torch"), (OF_ONNX, "onnxruntime")])
def test_the_requirements_can_be_installed_from_an_index(
    packages: tuple[str, ...], own: str
) -> None:
    found = dict(line.split("==") for line in requirements(packages))
    assert set(found) <= set(packages) and {own, "mlflow", "pillow"} <= set(found)
    assert not any("+" in number for number in found.values())


def test_the_same_code_makes_the_same_file_and_it_alone_is_enough(tmp_path: Path) -> None:
    once, twice = tmp_path / "once.zip", tmp_path / "twice.zip"
    write_code(once)
    write_code(twice)
    assert once.read_bytes() == twice.read_bytes()
    with ZipFile(once) as archive:
        assert all(name.startswith("headstart/") for name in archive.namelist())
    code = f"import {LOADER} as m, headstart.use.classifier; print(m.__file__)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=environment | {"PYTHONPATH": str(once)}, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.startswith(str(once))


@pytest.mark.parametrize(("model", "decided"), [("net", "class"), ("many", "labels")])
@pytest.mark.parametrize("suffix", ["safetensors", "onnx"])
def test_the_folder_has_all_but_the_network(
    tmp_path: Path, model: str, decided: str, suffix: str
) -> None:
    from mlflow.models import Model

    save_networks(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    checkpoint, data = tmp_path / f"{model}.safetensors", tmp_path / f"data.{suffix}"
    write_folder(folder, checkpoint, data, run_id="r", model_id="m")
    files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
    env = ["conda.yaml", "python_env.yaml", "requirements.txt"]
    assert files == ["MLmodel", "code/headstart.zip", *env]
    about = Model.load(str(folder))
    assert about.flavors["python_function"]["data"] == f"data.{suffix}"
    needed = (folder / "requirements.txt").read_text()
    assert ("torch==" in needed, "onnxruntime==" in needed) == (
        suffix == "safetensors",
        suffix == "onnx",
    )
    assert about.signature.inputs.to_dict() == [
        {"type": "binary", "name": "picture", "required": True}
    ]
    assert about.signature.outputs.input_names() == [decided, "probability", "top", "problem"]


def test_what_cannot_change_is_linked_and_what_can_is_copied(tmp_path: Path) -> None:
    cached, own, link = tmp_path / "cached", tmp_path / "own", tmp_path / "link"
    cached.write_text("kept by DVC")
    own.write_text("made by hand")
    link.symlink_to(cached)
    cached.chmod(0o444)
    for source in (cached, link, own):
        target = tmp_path / "target"
        target.unlink(missing_ok=True)
        target.write_text("of an interrupted call")
        target.chmod(0o444)
        link_or_copy(source, target)
        assert target.read_text() == source.read_text() and not target.is_symlink()
        assert target.samefile(source) == (source is not own)
