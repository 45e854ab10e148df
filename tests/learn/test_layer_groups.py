import pytest
from torch import nn

from headstart.learn.backbone import UnsuitableBackboneError
from headstart.learn.layer_groups import group_rates, module_groups, parameter_groups
from tests.learn.conftest import small_network


@pytest.mark.parametrize("name", ["resnet34", "resnext50_32x4d"])
def test_resnets_are_cut_as_the_course_did(name: str) -> None:
    network = small_network(name)
    body = dict(network.backbone.model.named_children())
    early = [body[child] for child in ("conv1", "bn1", "layer1", "layer2")]
    late = [body[child] for child in ("layer3", "layer4")]
    wanted = [nn.ModuleList(early), nn.ModuleList(late), network.head]
    for group, modules in zip(parameter_groups(network), wanted, strict=True):
        assert {id(p) for p in group} == {id(p) for p in modules.parameters()}


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext", "tf_efficientnet_lite0"])
def test_every_parameter_is_in_one_group(name: str) -> None:
    network = small_network(name)
    grouped = [id(p) for group in parameter_groups(network) for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    assert all(parameter_groups(network))


def test_efficientnet_lite0_is_cut_at_stride_8() -> None:
    network = small_network("tf_efficientnet_lite0")
    blocks = network.backbone.model.get_submodule("blocks")
    early, late, _ = module_groups(network)
    assert all(
        leaf in early for leaf in blocks.get_submodule("2").modules() if leaf in early + late
    )
    assert not any(leaf in early for leaf in blocks.get_submodule("3").modules())


def test_a_net_without_stride_8_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    monkeypatch.setattr(network.backbone.model, "feature_info", [{"module": "a", "reduction": 4}])
    with pytest.raises(UnsuitableBackboneError, match=r"test_resnet.* stride 8"):
        module_groups(network)


def test_rates_fall_by_the_ratio() -> None:
    assert group_rates(1e-2, 10) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert group_rates(0.2, 3) == pytest.approx([0.2 / 9, 0.2 / 3, 0.2])
