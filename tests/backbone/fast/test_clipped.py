"""Against the same operations apart: torch's convolutions and activations, timm's padding."""

import pytest
import torch
from torch import Tensor, nn

from headstart.backbone import torchvision_ops
from headstart.backbone.fast.clipped import has_onednn, padded_as_tensorflow
from tests.backbone.fast.test_folded import pair, pictures


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_efficientnet"])  # ReLU6, SiLU
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_clips_within_convolutions_keep_every_bit(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_onednn(dtype):
        pytest.skip("this torch or chip has no such convolutions")
    _, folded, _ = pair(name)
    shown = pictures(16, 33)  # torch's own convolutions of fewer small pictures may not be oneDNN's

    def features() -> tuple[Tensor, set[str]]:
        cast = torch.autocast("cpu", dtype, enabled=dtype != torch.float32)
        with torch.inference_mode(), cast, torch.profiler.profile() as profiler:
            found = folded.forward_features(shown)
        return found, {event.key for event in profiler.key_averages()}

    at_once, names = features()
    assert ("mkldnn::_convolution_pointwise" in names) == (name == "tf_efficientnet_lite0")
    monkeypatch.setattr("headstart.backbone.fast.clipped.has_onednn", lambda _: False)
    apart, names = features()
    assert "mkldnn::_convolution_pointwise" not in names
    assert torch.equal(at_once, apart)


@pytest.mark.parametrize("px", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1), (5, 3)])
def test_tensorflows_padding_is_the_same_with_and_without_gradients(
    px: int, kernel: int, stride: int
) -> None:
    torchvision_ops.declare_missing()
    conv = nn.Conv2d(4, 4, kernel, stride)
    x = torch.rand(2, 4, px, px + 3)
    with torch.no_grad():
        found = padded_as_tensorflow(conv, x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, padded_as_tensorflow(conv, x.requires_grad_()))
