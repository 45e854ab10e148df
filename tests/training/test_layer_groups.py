import pytest
from torch import nn

from headstart.backbone.timm_models import UnsuitableBackboneError
from headstart.training.layer_groups import (
    first_group,
    group_rates,
    module_groups,
    parameter_groups,
)
from tests.small_networks import small_network


@pytest.mark.parametrize("name", ["resnet34", "resnext50_32x4d"])
def test_resnets_are_cut_as_the_course_did(name: str) -> None:
    network = small_network(name)
    body = dict(network.backbone.model.named_children())
    early = [body[child] for child in ("conv1", "bn1", "layer1", "layer2")]
    late = [body[child] for child in ("layer3", "layer4")]
    wanted = [nn.ModuleList(early), nn.ModuleList(late), network.head]
    for group, modules in zip(parameter_groups(network, 3), wanted, strict=True):
        assert {id(p) for p in group} == {id(p) for p in modules.parameters()}


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext", "tf_efficientnet_lite0"])
def test_every_parameter_is_in_one_group(name: str) -> None:
    network = small_network(name)
    grouped = [id(p) for group in parameter_groups(network, 3) for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    assert all(parameter_groups(network, 3))


def test_efficientnet_lite0_is_cut_at_stride_8() -> None:
    network = small_network("tf_efficientnet_lite0")
    blocks = network.backbone.model.get_submodule("blocks")
    early, late, _ = module_groups(network, 3)
    assert all(
        leaf in early for leaf in blocks.get_submodule("2").modules() if leaf in early + late
    )
    assert not any(leaf in early for leaf in blocks.get_submodule("3").modules())


def test_a_transformer_is_cut_by_its_depth() -> None:
    network = small_network("test_vit")  # embedding, 6 blocks, norm
    model = network.backbone.model
    blocks = list(model.get_submodule("blocks").children())
    half = len(blocks) // 2
    early, late, _ = parameter_groups(network, 3)
    assert {id(p) for p in early} >= {
        *(id(p) for p in nn.ModuleList(blocks[: half - 1]).parameters()),
        *(id(p) for p in model.get_submodule("patch_embed").parameters()),
        id(model.pos_embed),
    }
    assert {id(p) for p in late} >= {id(p) for p in nn.ModuleList(blocks[half:]).parameters()}
    for n_groups in (2, 3, 4, 5):
        groups = parameter_groups(network, n_groups)
        assert len(groups) == n_groups and all(groups)
        grouped = [id(p) for group in groups for p in group]
        assert sorted(grouped) == sorted(id(p) for p in network.parameters())


def test_strides_of_modules_that_do_not_exist_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    model = network.backbone.model
    info = [{"module": "layer1", "reduction": 4}, {"module": "block.9", "reduction": 8}]
    monkeypatch.setattr(model, "feature_info", info)  # as timm's mvitv2 and twins have it
    early, late, _ = parameter_groups(network, 3)
    assert {id(p) for p in late} >= {id(p) for p in model.get_submodule("layer4").parameters()}
    assert {id(p) for p in early} >= {id(p) for p in model.get_submodule("conv1").parameters()}


def test_a_net_without_strides_and_matcher_is_cut_by_its_layers() -> None:
    network = small_network()
    network.backbone.model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    layers = list(network.backbone.model)
    assert module_groups(network, 3)[:2] == [layers[:2], layers[2:]]
    network.backbone.model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(UnsuitableBackboneError, match=r"test_resnet.* too few layers.*groups: 3"):
        module_groups(network, 3)


def test_rates_fall_by_the_ratio() -> None:
    assert group_rates(1e-2, 10, 3) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert group_rates(0.2, 3, 3) == pytest.approx([0.2 / 9, 0.2 / 3, 0.2])


@pytest.mark.parametrize("n_groups", [2, 4, 5])
def test_other_numbers_of_groups(n_groups: int) -> None:
    network = small_network("resnet34")
    groups = parameter_groups(network, n_groups)
    assert len(groups) == n_groups and all(groups)
    grouped = [id(p) for group in groups for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    body = dict(network.backbone.model.named_children())
    last = {5: ["layer4"], 4: ["layer4"], 2: list(body)}[n_groups]
    wanted = {id(p) for name in last for p in body[name].parameters()}
    assert {id(p) for p in groups[-2]} == wanted


def test_what_is_trainable_is_a_group_and_all_behind_it() -> None:
    assert [first_group("all", n) for n in (2, 3, 4, 5)] == [0, 0, 0, 0]
    assert [first_group("head", n) for n in (2, 3, 4, 5)] == [1, 2, 3, 4]
    assert [first_group("late", n) for n in (3, 4, 5)] == [1, 1, 2]
    with pytest.raises(ValueError, match="n_groups is 2, which does not cut the backbone"):
        first_group("late", 2)
