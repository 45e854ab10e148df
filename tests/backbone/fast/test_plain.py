"""The recipe without what only makes it faster, held against the recipe with it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from headstart.activations.frozen import FrozenBackbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.backbone.fast.switch import is_plain
from headstart.network.objective import Objective
from headstart.project.errors import HeadstartError
from headstart.project.report import Silent
from headstart.training.fit import Trainer
from headstart.training.material import Material
from headstart.training.phases import FinetuneOptimizerParams, PhaseParams, network_phase
from headstart.training.picture_source import PictureSource
from headstart.training.sampling import Sampler
from headstart.views.inference import network_logits
from tests.small_networks import small_network, small_pictures
from tests.steps.conftest import AUGMENT

FAST = (
    "backbone.fold_frozen_norms",
    "backbone.CpuBackward",
    "device.keep_freed_memory",
    "device.leave_new_memory_as_it_is",
    "fast.folded.clipped_convolution",
    "fast.backward._in_halves",
)
IDS, PX, LR = [str(i) for i in range(12)], 64, 1e-3
OPTIMIZER = FinetuneOptimizerParams(
    name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=6, n_accumulate=1, n_groups=3,
    lr_ratio=3.0, decay_ratio=1.0, dropout=(0.0, 0.2), bn_freeze="all", bn_momentum="own",
)  # fmt: skip
PHASE = PhaseParams(
    trainable="all", size_px="full", lr=LR, cycles=1, cycle_len=1, cycle_mult=1, schedule="sgdr",
    warmup_frac=0.05,
)  # fmt: skip


@dataclass
class Outcome:
    features: NDArray[np.float32]
    losses: list[float]
    changes: dict[str, NDArray[np.float32]]
    logits: NDArray[np.float32]
    fast: set[str]


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


def recipe(plain: str, patch: pytest.MonkeyPatch) -> Outcome:
    """Features of the frozen network, then a fine-tuning of all its layers; all in fp32.

    EfficientNet-Lite0, because it has all that is made faster: norms to fold, activations to clip,
    depthwise convolutions of 5 x 5.
    """
    taken: set[str] = set()

    def noted(place: str, real: Any) -> Any:
        def call(*arguments: Any) -> Any:
            taken.add(place)
            return real(*arguments)

        return call

    patch.setenv("HEADSTART_PLAIN", plain)
    patch.setenv("HEADSTART_DEVICE", "cpu")
    for place in FAST:
        module, name = f"headstart.backbone.{place}".rsplit(".", 1)
        patch.setattr(f"{module}.{name}", noted(place, getattr(sys.modules[module], name)))
    compute = prepare(RuntimeParams(precision="fp32", deterministic=True))
    network = small_network("tf_efficientnet_lite0")
    network.backbone.on(compute)
    pictures = small_pictures(PX)
    features = FrozenBackbone(network.backbone, pictures, Silent()).features(IDS, None, "plain")
    shown = np.stack(list(features))
    source = PictureSource(pictures, IDS, np.arange(len(IDS)) % 3, AUGMENT, 0)
    before = {name: one.detach().clone() for name, one in network.named_parameters()}
    phase = network_phase(network, PHASE, OPTIMIZER, LR, Material(source, None))
    sampler, objective = Sampler(np.ones(len(IDS))), Objective("single_label")
    result = Trainer(network, sampler, OPTIMIZER, objective, 0, Silent()).fit([phase])
    logits = network_logits(network, pictures, IDS).numpy()
    changes = {n: (one.detach() - before[n]).numpy() for n, one in network.named_parameters()}
    return Outcome(shown, [epoch.train_loss for epoch in result.epochs], changes, logits, taken)


def relative(found: Any, wanted: Any) -> float:
    """The largest difference, as a part of the largest number."""
    wanted = np.asarray(wanted)
    return float(np.abs(np.asarray(found) - wanted).max() / np.abs(wanted).max())


def test_the_recipe_is_the_same_without_what_makes_it_faster() -> None:
    with pytest.MonkeyPatch.context() as patch:
        plain = recipe("1", patch)
    with pytest.MonkeyPatch.context() as patch:
        fast = recipe("0", patch)
    assert plain.fast == set() and fast.fast == set(FAST)
    assert np.ptp(plain.logits, axis=0).min() > 0.5
    # float32 rounds by 6e-8, in each of 50 layers and many times in its sums: 3e-6 was found.
    assert relative(fast.features, plain.features) < 3e-5
    # Two steps carry that on: 1e-7 and 2e-5 were found. More steps would make much of it: at an
    # activation that is just clipped or just not, the gradient jumps.
    assert relative(fast.losses, plain.losses) < 3e-5
    assert relative(fast.logits, plain.logits) < 3e-4
    # 1e-3 was found for weights of convolutions and for params of norms, 3e-2 for those of one norm,
    # by such a jump. A gradient that is 1 % too large gives 1e-2 for each of its kind.
    apart = {
        name: np.linalg.norm(fast.changes[name] - wanted) / np.linalg.norm(wanted)
        for name, wanted in plain.changes.items()
    }
    far = {name for name, part in apart.items() if part > 4e-3}
    assert len(far) < 6 and not any(plain.changes[name].ndim == 4 for name in far), far
    assert max(apart.values()) < 0.2


@pytest.mark.parametrize(
    ("settings", "plain"),
    [
        ({}, False),
        ({"HEADSTART_PLAIN": ""}, False),
        ({"HEADSTART_PLAIN": "0"}, False),
        ({"HEADSTART_PLAIN": "1"}, True),
    ],
)
def test_the_switch(settings: dict[str, str], plain: bool) -> None:
    assert is_plain(settings) == plain


def test_a_switch_of_another_kind_is_refused() -> None:
    with pytest.raises(HeadstartError, match=r"^HEADSTART_PLAIN is 'yes'; it must be 1 "):
        is_plain({"HEADSTART_PLAIN": "yes"})
