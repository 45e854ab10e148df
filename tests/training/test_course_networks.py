"""The two networks of the course, with random weights: what is proved here needs no download."""

import importlib
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from headstart.backbone import torchvision_ops
from headstart.backbone.backbone import Backbone, Normalisation
from headstart.backbone.seeding import torch_seed
from headstart.network.head import HeadParams, create_head
from headstart.network.network import Network
from headstart.training.feature_source import FeatureSource
from headstart.training.layer_groups import parameter_groups
from headstart.training.material import Material
from headstart.training.optimizer import Optimizer
from headstart.training.phases import FinetuneOptimizerParams, PhaseParams, network_phase
from tests.small_networks import small_backbone

IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CUT, LR_CUT = 8, 6  # of the children of the whole network, as the course counted them
PARTS = {
    **{f"backbone.model.{child}.": 0 for child in ("conv1", "bn1", "layer1", "layer2")},
    **{f"backbone.model.{child}.": 1 for child in ("layer3", "layer4")},
    "head.": 2,
}  # and the layer group of each


@dataclass(frozen=True)
class Course:
    """How the course used a network."""

    name: str
    n_features: int
    size_px: int
    dropout: tuple[float, float]


RESNET34 = Course("resnet34.tv_in1k", 1024, 224, (0.25, 0.5))
RESNEXT50 = Course("resnext50_32x4d.tv_in1k", 4096, 299, (0.5, 0.5))


@pytest.fixture(scope="module", params=[RESNET34, RESNEXT50], ids=lambda course: course.name)
def course(request: pytest.FixtureRequest) -> Course:
    param: Course = request.param
    return param


@pytest.fixture(scope="module")
def backbone(course: Course) -> Backbone:
    return small_backbone(course.name)


def with_head(backbone: Backbone, course: Course, n_classes: int) -> Network:
    params = HeadParams(hidden_units=512, dropout=course.dropout)
    with torch_seed("head"):
        return Network(backbone, create_head(backbone.n_features, n_classes, params))


def torchvisions(course: Course) -> list[tuple[str, nn.Module]]:
    """The children of the network that the course cut, with fresh weights of torchvision's."""
    torchvision_ops.declare_missing()  # and torchvision has no types
    models: Any = importlib.import_module("torchvision.models")
    whole: nn.Module = models.get_model(course.name.split(".")[0], weights=None)
    return list(whole.named_children())


def test_the_features_are_those_of_the_body_that_the_course_cut(
    backbone: Backbone, course: Course
) -> None:
    """Against torchvision's own network up to the course's cut, of the same weights."""
    body = nn.Sequential()
    for name, child in torchvisions(course)[:CUT]:
        body.add_module(name, child)
    body.load_state_dict(backbone.model.state_dict())
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(1, 3, course.size_px, course.size_px, generator=generator)
    mean, sd = (torch.tensor(x).view(1, 3, 1, 1) for x in (IMAGENET.mean, IMAGENET.sd))
    with torch.inference_mode():
        features = backbone(pictures * 255)
        maps = body.eval()((pictures - mean) / sd)
    assert maps.shape[1:] == (course.n_features // 2, *2 * (-(-course.size_px // 32),))
    assert features.shape == (1, backbone.n_features) == (1, course.n_features)
    wanted = torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], dim=1)
    torch.testing.assert_close(features, wanted, rtol=1e-3, atol=1e-4)
    assert features.std() > 0.01  # not all the same, so that the comparison says something


def test_inputs_are_normalised_as_imagenet(backbone: Backbone) -> None:
    assert backbone.normalisation == IMAGENET


@pytest.mark.parametrize(
    ("course", "n_classes", "n_parameters"),
    [
        (RESNET34, 2, 528_898),
        (RESNET34, 17, 536_593),
        (RESNET34, 120, 589_432),
        (RESNEXT50, 2, 2_107_906),
    ],
    indirect=["course"],
)
def test_the_heads_have_the_sizes_of_the_course(
    backbone: Backbone, course: Course, n_classes: int, n_parameters: int
) -> None:
    network = with_head(backbone, course, n_classes)
    assert sum(p.numel() for p in network.head.parameters()) == n_parameters
    with torch.inference_mode():
        assert network.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, n_classes)


def test_every_parameter_is_in_the_group_of_the_course_by_name(
    backbone: Backbone, course: Course
) -> None:
    network = with_head(backbone, course, 2)
    names = {id(p): name for name, p in network.named_parameters()}
    found = [[names[id(p)] for p in group] for group in parameter_groups(network, 3)]
    children = torchvisions(course)
    wanted = [
        [f"backbone.model.{name}.{p}" for name, child in part for p, _ in child.named_parameters()]
        for part in (children[:LR_CUT], children[LR_CUT:CUT])
    ]
    wanted.append([name for name in names.values() if name.startswith("head.")])
    assert found == wanted
    assert sorted(chain(*found)) == sorted(names.values())  # each in exactly one
    for number, group in enumerate(found):
        for name in group:
            assert [of for part, of in PARTS.items() if name.startswith(part)] == [number], name


@pytest.mark.parametrize(
    ("trainable", "rates"), [("head", [1e-2]), ("late", [1e-3, 1e-2]), ("all", [1e-4, 1e-3, 1e-2])]
)
def test_a_step_of_the_last_stage_moves_what_is_trainable_at_its_rate(
    course: Course, trainable: str, rates: list[float]
) -> None:
    network = with_head(small_backbone(course.name), course, 2)
    optimizer_params = FinetuneOptimizerParams(
        name="sgd",
        momentum=0.9,
        weight_decay=0.0,
        clip_norm=0.0,
        batch_size=4,
        dropout=course.dropout,
        n_accumulate=1,
        n_groups=3,
        lr_ratio=10.0,
        decay_ratio=1.0,
        bn_freeze="none",
        bn_momentum="own",
    )
    phase_params = PhaseParams.model_validate(
        {"trainable": trainable, "lr": 0.01, "cycles": 3, "cycle_len": 1, "cycle_mult": 2}
        | {"warmup_frac": 0.05, "size_px": "full", "schedule": "sgdr"}
    )
    nothing = np.empty((1, 0, 1), np.float32), np.empty(0, np.int64)
    source = FeatureSource(*nothing, torch.device("cpu"))
    material = Material(source, evaluate=None)  # not looked at
    phase = network_phase(network, phase_params, optimizer_params, 0.01, material)
    optimizer = Optimizer(phase.groups, optimizer_params)
    assert optimizer.lrs() == pytest.approx(rates)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(4, 3, 64, 64, generator=generator) * 255
    phase.set_mode()
    cross_entropy(network(pictures), torch.tensor([0, 1, 0, 1])).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    moved = {
        next(part for part in PARTS if name.startswith(part))
        for name, tensor in network.state_dict().items()
        if not torch.equal(tensor, before[name])  # statistics of batch norms included
    }
    assert moved == {part for part, group in PARTS.items() if group >= 3 - len(rates)}
