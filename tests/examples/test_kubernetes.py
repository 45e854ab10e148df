"""The manifests of examples/kubernetes: their fields, and the commands that they run."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from tests.contract import BEGINNING, read_yaml
from tests.torchrun import read_by_torchrun

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "examples/kubernetes"
SCHEMA = Path(__file__).parent / "kubernetes.yaml"


def read(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = YAML(typ="safe").load(MANIFESTS / name)
    return manifest


def problems(manifest: dict[str, Any]) -> list[str]:
    schema = YAML(typ="safe").load(SCHEMA)
    Draft202012Validator.check_schema(schema)
    return [str(error.message) for error in Draft202012Validator(schema).iter_errors(manifest)]


@pytest.mark.parametrize("name", ["rayjob.yaml", "trainjob.yaml"])
def test_it_has_only_known_fields(name: str) -> None:
    assert problems(read(name)) == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda job: job["spec"].update(numNodes=2),
        lambda job: job["spec"]["trainer"].update(numNodes="2"),
        lambda job: job["spec"]["trainer"].update(numProcsPerNode=4),
        lambda job: job["spec"].pop("runtimeRef"),
        lambda job: job["spec"]["trainer"]["env"][0].update(value=8),
    ],
)
def test_a_wrong_field_is_found(edit: Callable[[dict[str, Any]], object]) -> None:
    job = read("trainjob.yaml")
    edit(job)
    assert problems(job)


def test_it_is_as_the_published_models_have_it() -> None:
    """Those of kubeflow-trainer-api, TrainJob and pods; KubeRay publishes none as a package."""
    published = pytest.importorskip(
        "kubeflow_trainer_api.models", reason="pip install kubeflow-trainer-api"
    )
    job, ray = read("trainjob.yaml"), read("rayjob.yaml")
    assert published.TrainerV1alpha1TrainJob.from_dict(job).to_dict() == job
    cluster = ray["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]
        assert published.IoK8sApiCoreV1PodTemplateSpec.from_dict(pod).to_dict() == pod


def test_trainjob_runs_the_stage_of_dvc_yaml() -> None:
    trainer = read("trainjob.yaml")["spec"]["trainer"]
    [command] = trainer["args"]
    words = shlex.split(command)
    assert words[: words.index("torchrun")] == ["cd", "/project", "&&", "PYTHONPATH=src", "exec"]
    stage = read_yaml(ROOT / "dvc.yaml")["stages"]["unfreeze-finetune"]["cmd"]
    given, wanted = words[words.index("torchrun") + 1 :], shlex.split(stage)[len(BEGINNING) :]
    assert given == ["--", *wanted]
    read_by_torchrun(given, wanted)
    n_gpus = int(trainer["resourcesPerNode"]["limits"]["nvidia.com/gpu"])
    n_cpus = int(trainer["resourcesPerNode"]["requests"]["cpu"])
    [workers] = [int(e["value"]) for e in trainer["env"] if e["name"] == "HEADSTART_WORKERS"]
    assert trainer["numProcPerNode"] == n_gpus and workers * n_gpus == n_cpus


def test_every_mount_has_its_volume() -> None:
    cluster = read("rayjob.yaml")["spec"]["rayClusterSpec"]
    [patch] = read("trainjob.yaml")["spec"]["runtimePatches"]
    [node] = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"], node["template"]["spec"]]
    for pod in (group["template"]["spec"] for group in groups):
        mounts = {mount["name"] for c in pod["containers"] for mount in c["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]} == {"project"}


def test_rayjob_runs_the_pipeline_in_the_mounted_project() -> None:
    spec = read("rayjob.yaml")["spec"]
    assert shlex.split(spec["entrypoint"]) == ["bash", "-euc", "cd /project && dvc repro"]
    settings = YAML(typ="safe").load(spec["runtimeEnvYAML"])["env_vars"]
    assert settings["HEADSTART_RAY"] == "auto" and settings["HEADSTART_SHARED"] == "1"
    assert all(isinstance(value, str) for value in settings.values())


def test_workers_have_the_device_of_the_head() -> None:
    """Otherwise the head asks the cluster for a GPU that no worker has."""
    cluster = read("rayjob.yaml")["spec"]["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}, "it makes no pictures"
    [gpus] = {
        container["resources"]["limits"]["nvidia.com/gpu"]
        for group in (head, *workers)
        for container in group["template"]["spec"]["containers"]
    }
    assert int(gpus) == 1


def test_no_secret_stands_in_an_example() -> None:
    for path in (ROOT / "examples").rglob("*"):
        if path.is_file():
            assert not re.search(
                r"://[^/\s]*:[^/\s]*@|(?i:password|token)[:=]\s*\S", path.read_text()
            )
