import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from headstart.backbone import torchvision_ops
from headstart.backbone.backbone import (
    BackboneParams,
    load_backbone,
    tensors_digest,
)
from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.backbone.timm_models import UnsuitableBackboneError
from headstart.fetching.weights import WeightsError
from headstart.fetching.weights_sources import (
    RandomWeights,
    read_source,
    read_weights_source,
)
from headstart.project.located import UserPath
from headstart.steps.fetch_weights import UntrainedWarning, fetch_weights
from tests.hub import standing_in_for_the_hub

RESNET = "test_resnet"  # timm's own miniature networks: the structure of the real ones


def params(name: str = RESNET, weights: str = "/home/me/w.pth") -> BackboneParams:
    return BackboneParams(
        name=name,
        weights=weights,
        size_px=64,
        cached_px=("full",),
        crop="center",
        crop_frac=1.0,
        pool="auto",
    )


def whole_model(name: str = RESNET, seed: int = 5) -> dict[str, Tensor]:
    """The state of a whole network of timm's, with its classifier, every tensor another."""
    torchvision_ops.declare_missing()
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state: dict[str, Tensor] = timm.create_model(name).state_dict()
        return {
            k: v + 9 if v.dtype == torch.int64 else torch.randn_like(v) for k, v in state.items()
        }


def from_file(tensors: dict[str, Tensor], name: str = RESNET, **metadata: str) -> NamedTensors:
    file = NamedTensors(tensors, {**metadata, "sha256": "f" * 64})
    return fetch_weights(UserPath(Path("/home/me/w.pth")), file, params(name))


@pytest.mark.parametrize("name", [RESNET, "test_efficientnet", "test_convnext"])
def test_a_users_file_becomes_a_backbone(name: str, tmp_path: Path) -> None:
    state = whole_model(name)
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pth")
    source = UserPath(tmp_path / "w.pth")
    weights = fetch_weights(source, read_source(source), params(name))
    write_tensors(tmp_path / "backbone.safetensors", weights)
    backbone = load_backbone(tmp_path / "backbone.safetensors")
    assert state.keys() - weights.tensors.keys() == set(list(state)[-2:])  # the classifier
    for key, tensor in backbone.model.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    assert backbone.architecture == name


def test_a_file_without_classifier_or_counters_fits() -> None:
    state = {k: v for k, v in whole_model().items() if "num_batches" not in k and "fc." not in k}
    weights = from_file(state)
    assert weights.tensors["bn1.num_batches_tracked"] == 0
    assert torch.equal(weights.tensors["conv1.0.weight"], state["conv1.0.weight"])


def test_half_precision_is_stored_as_the_model_has_it() -> None:
    weights = from_file({k: v.half() for k, v in whole_model().items()})
    assert {t.dtype for t in weights.tensors.values()} == {torch.float32, torch.int64}


def drop(state: dict[str, Tensor]) -> None:
    del state["bn1.weight"]


def reshape(state: dict[str, Tensor]) -> None:
    state["bn1.weight"] = torch.ones(3)


def add(state: dict[str, Tensor]) -> None:
    state["layer9.weight"] = torch.ones(3, 4)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop, "bn1.weight: nothing in the file, (32,) in the model"),
        (reshape, "bn1.weight: (3,) in the file, (32,) in the model"),
        (add, "layer9.weight: (3, 4) in the file, nothing in the model"),
    ],
)
def test_a_mismatch_names_the_tensors(
    spoil: Callable[[dict[str, Tensor]], None], message: str
) -> None:
    state = whole_model()
    spoil(state)
    with pytest.raises(WeightsError) as error:
        from_file(state)
    assert f"1 tensors differ:\n  {message}" in str(error.value)
    assert "backbone.weights '/home/me/w.pth' does not fit backbone.name 'test_resnet'" in str(
        error.value
    )


def test_another_network_is_told_in_few_lines() -> None:
    with pytest.raises(WeightsError, match=r"and [0-9]+ more") as error:
        from_file(whole_model("test_efficientnet"))
    assert len(str(error.value).splitlines()) == 7


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "0."])
def test_prefixes_of_wrappers_are_taken_off(prefix: str) -> None:
    state = whole_model()
    weights = from_file({f"{prefix}{name}": tensor for name, tensor in state.items()})
    assert all(torch.equal(tensor, state[name]) for name, tensor in weights.tensors.items())


def test_a_network_beside_a_head_of_another_name() -> None:
    state = {name: t for name, t in whole_model().items() if not name.startswith("fc.")}
    width = next(reversed([t for t in state.values() if t.ndim == 4])).shape[0]
    head = {"my_head.0.weight": torch.ones(7, width), "my_head.0.bias": torch.ones(7)}
    for prefix in ("", "encoder.net."):
        weights = from_file({**{f"{prefix}{k}": t for k, t in state.items()}, **head})
        assert weights.tensors.keys() == state.keys()


def test_two_networks_in_one_file_are_refused() -> None:
    state = whole_model()
    both = {f"{part}.{name}": t for part in ("student", "teacher") for name, t in state.items()}
    with pytest.raises(
        WeightsError, match=r"holds 2 networks that fit, under student\., teacher\."
    ):
        from_file(both)


def test_other_names_are_shown_beside_those_that_are_wanted() -> None:
    with pytest.raises(
        WeightsError, match=r"the file begins with a\.b, c\.d; the model with conv1"
    ):
        from_file({"a.b": torch.ones(2, 2, 2), "c.d": torch.ones(3)})


def test_positions_of_another_input_size_are_resampled() -> None:
    name = "test_vit"
    torchvision_ops.declare_missing()
    import timm

    state = timm.create_model(name, img_size=96).state_dict()
    weights = from_file(state, name)
    assert weights.tensors["pos_embed"].shape == timm.create_model(name).pos_embed.shape
    assert state["pos_embed"].shape != weights.tensors["pos_embed"].shape
    assert torch.equal(weights.tensors["norm.weight"], state["norm.weight"])
    assert json.loads(weights.metadata["options"]) == {"dynamic_img_size": True}
    assert weights.metadata["pool"] == "token_avg"


def test_a_size_that_does_not_fit_is_told_with_those_that_do() -> None:
    source = RandomWeights(kind="random", seed=0)
    about = params("test_vit", "sources/random.yaml").model_copy(update={"size_px": 70})
    with pytest.raises(UnsuitableBackboneError, match=r"not take pictures of 10 px .* fit: .* 64"):
        fetch_weights(source, None, about.model_copy(update={"size_px": 10}))


def test_what_the_file_says_of_itself_is_used() -> None:
    about = {"mean": "[0.1, 0.2, 0.3]", "std": "[1, 1, 1]", "architecture": f"{RESNET}.r160_in1k"}
    metadata = from_file(whole_model(), **about).metadata
    assert (metadata["mean"], metadata["std"]) == (about["mean"], about["std"])
    assert metadata["sha256"] == "f" * 64
    with pytest.raises(WeightsError, match=r"holds weights of resnet34, but backbone\.name is"):
        from_file(whole_model(), architecture="resnet34")


def test_otherwise_timm_says_the_normalisation() -> None:
    metadata = from_file(whole_model()).metadata
    assert metadata["architecture"] == RESNET
    assert metadata["source"] == "/home/me/w.pth"
    assert json.loads(metadata["mean"]) == [0.5, 0.5, 0.5]  # of timm's miniatures


def test_random_weights_are_seeded_and_loud() -> None:
    def fetch(seed: int) -> NamedTensors:
        with pytest.warns(UntrainedWarning, match="test_resnet is UNTRAINED"):
            source = RandomWeights(kind="random", seed=seed)
            return fetch_weights(source, None, params(weights="sources/random.yaml"))

    torch.manual_seed(1)
    a, b, c = fetch(0), fetch(0), fetch(1)
    assert all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors)
    assert not torch.equal(a.tensors["conv1.0.weight"], c.tensors["conv1.0.weight"])
    assert "sha256" not in a.metadata
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(1))


IN_A_PROCESS_OF_ITS_OWN = """
import json, sys
from headstart.backbone.backbone import BackboneParams, tensors_digest
from headstart.steps.fetch_weights import fetch_weights
from headstart.fetching.weights_sources import read_weights_source
from headstart.fetching.weights_sources import read_source

for name in sys.argv[1:]:
    weights = "sources/timm-pretrained.yaml"
    params = BackboneParams(
        name=name, weights=weights, size_px=224, cached_px=("full",), crop="center", crop_frac=1.0,
        pool="auto",
    )
    source = read_weights_source(weights)
    found = fetch_weights(source, read_source(source), params)
    print(json.dumps([sorted(found.tensors), tensors_digest(found.tensors), found.metadata]))
"""


def test_the_networks_of_the_course_come_from_the_hub_bit_for_bit(repo_root: Path) -> None:
    """Over HTTP, from a stand-in on this machine: no code of timm's or of the hub's is replaced."""
    whole = {name: whole_model(name) for name in ("resnet34.tv_in1k", "resnext50_32x4d.tv_in1k")}
    paths = {name: f"/timm/{name}/resolve/main/model.safetensors" for name in whole}
    outer = {k: v for k, v in os.environ.items() if not k.upper().endswith("_PROXY")}
    outer = {k: v for k, v in outer.items() if not k.startswith("HF_")}
    with (
        TemporaryDirectory() as cache,  # 200 MB that no later test run is to keep
        standing_in_for_the_hub({paths[name]: save(whole[name]) for name in whole}) as (hub, asked),
    ):
        ours = {"HF_ENDPOINT": hub, "HF_HOME": cache, "TORCH_HOME": cache, "PYTHONPATH": "src"}
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN, *whole],
            env=outer | ours,
            cwd=repo_root,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert asked == [
        f"{verb} {path}" for path in paths.values() for verb in ("HEAD", "HEAD", "GET")
    ]
    for (name, state), line in zip(whole.items(), done.stdout.splitlines(), strict=True):
        names, digest, metadata = json.loads(line)
        assert state.keys() - set(names) == {"fc.weight", "fc.bias"}
        assert digest == tensors_digest({key: state[key] for key in names})
        assert metadata["architecture"] == name
        assert metadata["source"] == f"timm {name}"
        assert json.loads(metadata["mean"]) == [0.485, 0.456, 0.406]
        assert json.loads(metadata["std"]) == [0.229, 0.224, 0.225]


def test_unsuitable_networks_are_named() -> None:
    with pytest.raises(UnsuitableBackboneError, match=r"backbone\.name is 'resnet35'"):
        from_file({}, "resnet35")


def test_the_default_weights(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_root)
    source = read_weights_source("sources/efficientnet-lite0.yaml")
    file = read_source(source)
    assert file is not None
    name = "tf_efficientnet_lite0"
    weights = fetch_weights(source, file, params(name, "sources/efficientnet-lite0.yaml"))
    assert len(weights.tensors) == len(file.tensors) - 2
    for ours, theirs in zip(weights.tensors.values(), file.tensors.values(), strict=False):
        assert torch.equal(ours, theirs)
    assert weights.metadata["mean"] == weights.metadata["std"] == "[0.5, 0.5, 0.5]"
    with pytest.raises(WeightsError, match=r"holds weights of tf_efficientnet_lite0, but backbone"):
        fetch_weights(source, file, params())
    fewer = NamedTensors(dict(list(file.tensors.items())[1:]), file.metadata)
    with pytest.raises(WeightsError, match="cannot be matched in order"):
        fetch_weights(source, fewer, params(name))


def test_a_source_with_a_file_needs_it() -> None:
    with pytest.raises(WeightsError, match="no file was read"):
        fetch_weights(UserPath(Path("/home/me/w.pth")), None, params())
