"""Damage of any file that a stage reads is noticed by its reader, in one sentence with the remedy."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from importlib.resources import files as resources
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from headstart.commands.cli import main
from headstart.project.errors import HeadstartError
from tests.artifacts import (
    DAMAGED,
    artifacts,
    content,
    damages,
    flipped,
    truncated,
    write_artifacts,
)
from tests.whole_project import Project

KINDS = 25  # files of the small project
ONCE = "data/2_resized/pictures.arrow"  # holds bytes that nobody reads: paths, padding


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("artifacts")
    write_artifacts(root, Path(__file__).parents[1])
    return root


def outcome(root: Path, file: Path, damaged: bytes, whole: bytes, what: str) -> str:
    """How the reader takes the damaged content of `file`; the file is whole again afterwards."""
    before = file.read_bytes()
    file.write_bytes(damaged)
    try:
        read = content(root, file)
    except HeadstartError as error:
        assert re.match(DAMAGED, str(error)), f"{what}: {error}"
        assert str(error).startswith(str(file.parent)), f"{what}: {error}"
        return "refused"
    finally:
        file.write_bytes(before)
    assert read == whole, f"{file}, {what}: read as if it were whole"
    return "same content"


def test_a_flipped_bit_or_a_cut_is_refused(root: Path, figures: Callable[[str], None]) -> None:
    files, told = artifacts(root), Counter[str]()
    assert len(files) == KINDS
    for file in files:
        whole, data = content(root, file), file.read_bytes()
        n, name = len(data), file.relative_to(root).as_posix()
        places = {0, 9, n // 3, n // 2, n - 2}
        tries = [flipped(data, at, bit=at % 7) for at in sorted(places)]
        for what, damaged in [*tries, *(truncated(data, at) for at in (0, n // 2, n - 1))]:
            found = outcome(root, file, damaged, whole, what)
            assert found == "refused" or name == ONCE, f"{name}, {what}"
            told[found] += 1
    figures(f"{told.total()} damages of {KINDS} files: {told['refused']} refused, none misread")


@pytest.mark.long
def test_no_random_damage_is_read_as_if_it_were_whole(
    root: Path, figures: Callable[[str], None]
) -> None:
    told, n = Counter[str](), 400
    for seed, file in enumerate(artifacts(root)):
        whole = content(root, file)
        for what, damaged in damages(file.read_bytes(), n, seed):
            told[outcome(root, file, damaged, whole, what)] += 1
    same = f"{told['same content']} in bytes that nobody reads"
    figures(f"{told.total()} random damages of {KINDS} files: {told['refused']} refused, {same}")


def test_predict_refuses_a_flipped_exponent(root: Path, tmp_path: Path) -> None:
    """Such a bit turned a dog at 0.53 into a cat at 0.9989."""
    model, picture = tmp_path / "model.safetensors", tmp_path / "a.png"
    data = (root / "data/4_checkpoints/net.safetensors").read_bytes()
    model.write_bytes(flipped(data, len(data) - 1, bit=6)[1])  # the last float's exponent
    picture.write_bytes(b"no matter")
    result = CliRunner().invoke(main, ["predict", str(model), str(picture)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert re.search(rf"^Error: {model} is damaged: .* copy the file again\.$", result.output, re.M)


READ_BY = {
    "data/0_source/backbone.safetensors": "precompute-activations",
    "data/0_source/images/files.parquet": "index-images",
    "data/1_index/pictures.parquet": "resize",
    "data/1_index/labels.parquet": "find-lr-head",
    "data/2_resized/pictures.arrow": "precompute-activations",
    "data/3_activations/plain/64/features.npy": "train-head",
    "data/3_activations/views/64/features.npy": "train-augmented",
    "data/4_checkpoints/head.safetensors": "predict-views",
    "data/4_checkpoints/finetuned.safetensors": "tta-evaluate",
    "data/5_predictions/views/head.parquet": "tta-evaluate",
    "data/5_predictions/predictions.parquet": "write-submission",
    "data/6_reports/find_lr_head.json": "train-head",
}
"""Files of a finished project, and a stage that reads each."""


def flip_in_place(file: Path) -> None:
    """Change the middle bit through every link to the file; size and time stay."""
    times = file.stat()
    file.chmod(0o644)
    file.write_bytes(flipped(file.read_bytes(), times.st_size // 2)[1])
    file.chmod(0o444)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.long
def test_each_stage_refuses_damage_and_repair_brings_the_same_bytes_back(
    tmp_path: Path, repo_root: Path, figures: Callable[[str], None]
) -> None:
    project = Project(tmp_path, repo_root)
    textile = Path(str(resources("conformal_clip_data") / "data/textile_images/simulated"))
    for name in ("global", "local", "nominal"):
        pictures = iter(sorted((textile / name).iterdir()))
        for split, n in {"train": 6, "valid": 3, "test": 3}.items():
            (project.pictures / split / name).mkdir(parents=True)
            for _ in range(n):
                shutil.copy(next(pictures), project.pictures / split / name)
    project.quicken({"dataset.source": str(project.pictures), "index_images.split": "given"})
    with project.without_mlflow():
        project.repro()
    copy, told = tmp_path / "copy", Counter[str]()
    shutil.copytree(project.root / "data", copy / "data")
    for seed, file in enumerate(artifacts(copy)):
        file.chmod(0o644)
        whole = content(copy, file)
        for what, damaged in damages(file.read_bytes(), 30, seed):
            told[outcome(copy, file, damaged, whole, what)] += 1
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"]
    before = {path: (project.root / path).read_bytes() for path in READ_BY}
    for path, stage in READ_BY.items():
        flip_in_place(project.root / path)
        done = subprocess.run(
            stages[stage]["cmd"], shell=True, cwd=project.root, capture_output=True, text=True,
            env=project.environment | {"HEADSTART_KEEP_GB": "0"},
        )  # fmt: skip
        assert done.returncode == 1, f"{stage} read {path}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        sentence = re.escape(path) + r" is damaged: .* copy the file again\.$"
        assert re.search(rf"^Error: {sentence}", done.stderr, re.M), done.stderr
        flip_in_place(project.root / path)
    for path in READ_BY:
        flip_in_place(project.root / path)
    assert "up to date" in project.run("dvc", "status", *dict.fromkeys(READ_BY.values()))
    repaired = project.headstart("verify", "--repair")
    assert all(f"{path} " in repaired for path in READ_BY) and "Now run `dvc repro`" in repaired
    with project.without_mlflow():
        project.repro()
    assert {path: (project.root / path).read_bytes() for path in READ_BY} == before
    figures(
        f"a finished project: {told.total()} random damages of {len(artifacts(copy))} files, "
        f"{told['refused']} refused, {told['same content']} in bytes that nobody reads; "
        f"{len(READ_BY)} damaged in place, each refused by its stage; all bytes are back after --repair"
    )
