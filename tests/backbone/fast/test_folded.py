"""Against the same networks as timm made them: the plain, obviously right way."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from headstart.backbone import torchvision_ops
from headstart.backbone.fast.folded import _make_unlike_others, fold_frozen_norms

NETWORKS = {
    "test_resnet": 15,
    "test_efficientnet": 13,
    "tf_efficientnet_lite0": 49,
    "resnet34": 36,
    "resnext50_32x4d": 53,
    "mobilenetv3_small_050": 34,
}


def pair(name: str) -> tuple[Any, Any, int]:
    """The network as it is, and folded; its norms have statistics as after training."""
    torchvision_ops.declare_missing()
    import timm

    torch.manual_seed(0)
    plain = timm.create_model(name, pretrained=False, num_classes=0, global_pool="").eval()
    norms = [m for m in plain.modules() if isinstance(m, nn.BatchNorm2d)]
    for number, norm in enumerate(norms):
        _make_unlike_others(norm, number + 0.5)  # type: ignore[arg-type]
    folded = copy.deepcopy(plain)
    return plain, folded, fold_frozen_norms(folded, 64)


def pictures(n: int = 2, px: int = 64) -> Tensor:
    return torch.rand(n, 3, px, px, generator=torch.Generator().manual_seed(0)) - 0.5


def gradients(network: Any) -> dict[str, Tensor]:
    network.zero_grad()
    network.forward_features(pictures()).square().mean().backward()
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {name: gradient for name, gradient in found.items() if gradient is not None}


def set_norms(network: nn.Module, training: bool) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(training)


@pytest.mark.parametrize(("name", "n"), NETWORKS.items())
def test_features_and_the_gradients_of_all_parameters_stay(name: str, n: int) -> None:
    plain, folded, n_folded = pair(name)
    assert n_folded == n
    assert list(plain.state_dict()) == list(folded.state_dict())
    for key, tensor in plain.state_dict().items():
        assert torch.equal(tensor, folded.state_dict()[key]), key
    with torch.inference_mode():
        wanted, found = (net.forward_features(pictures()) for net in (plain, folded))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    of_plain, of_folded = gradients(plain), gradients(folded)
    assert of_plain and list(of_plain) == list(of_folded)
    for key, gradient in of_plain.items():
        cosine = functional.cosine_similarity(gradient.flatten(), of_folded[key].flatten(), dim=0)
        assert cosine > 0.999, key


def test_a_norm_that_trains_is_left_to_itself() -> None:
    plain, folded, _ = pair("test_resnet")
    for network in (plain, folded):
        set_norms(network, training=True)
    assert torch.equal(*(net.forward_features(pictures()) for net in (plain, folded)))
    for key, tensor in plain.state_dict().items():  # running statistics too
        assert torch.equal(tensor, folded.state_dict()[key]), key


def test_a_fold_follows_its_parameters_and_its_copies() -> None:
    plain, folded, _ = pair("test_efficientnet")
    twin = copy.deepcopy(folded)
    for network in (plain, twin):
        for number, module in enumerate(network.modules()):
            if isinstance(module, nn.BatchNorm2d):
                _make_unlike_others(module, number + 3)
    with torch.inference_mode():
        wanted, found = (net.forward_features(pictures()) for net in (plain, twin))
        before = folded.forward_features(pictures())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    assert (before - found).abs().max() > 0.01 * wanted.abs().max()  # the original is not its copy


def test_where_a_norm_is_not_that_of_the_convolution_before_nothing_is_folded() -> None:
    plain, other, n = pair("densenet121")
    assert n == 0
    with torch.inference_mode():
        assert torch.equal(*(net.forward_features(pictures()) for net in (plain, other)))
    assert fold_frozen_norms(nn.Sequential(nn.Conv2d(3, 4, 1)), 64) == 0
