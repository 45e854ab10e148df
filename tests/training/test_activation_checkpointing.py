"""Activations that are computed again give the same step, to the bit."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from headstart.backbone.device import PLAIN_CPU, Compute
from headstart.backbone.timm_models import UnsuitableBackboneError, timm_model
from headstart.network.network import Network
from headstart.network.objective import Objective
from headstart.training.activation_checkpointing import blocks_of, checkpoint_activations
from headstart.training.parts import Part, Split
from headstart.training.phases import FinetuneOptimizerParams, set_mode
from tests.small_networks import small_network
from tests.training.test_gradients import OPTIMIZER

N, K, PX = 6, 3, 64
ON = OPTIMIZER.model_copy(update={"checkpoint_activations": True})
AUTO = replace(PLAIN_CPU, backward_dtype=torch.bfloat16)  # where the chip multiplies bf16
BF16 = replace(PLAIN_CPU, training_dtype=torch.bfloat16)


def restless(name: str) -> Network:
    """A network whose layers all draw where they can: dropout everywhere, and stochastic depth."""
    network = small_network(name)
    from timm.layers.drop import DropPath  # after the network: `declare_missing` has run

    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3
        if isinstance(getattr(module, "drop_path1", None), nn.Identity):
            module.drop_path1 = DropPath(0.5)
    return network


def step(
    network: Network, optimizer: FinetuneOptimizerParams, split: Split, compute: Compute
) -> dict[str, Tensor]:
    """Loss and gradients of one batch, the state after it, and the next draw."""
    network.backbone.on(compute)
    network.to(compute.device)
    set_mode(network, 0, optimizer)
    torch.manual_seed(2)
    pictures = (torch.rand(N, 3, PX, PX) * 255).to(compute.device)
    targets = (torch.arange(N) % K).to(compute.device)
    places = split.places(N)
    parts = (Part(pictures[p.first :][: p.n], targets[p.first :][: p.n], p) for p in places)
    loss, _ = split.gradients(network, Objective("single_label"), parts)
    gradients = {f"{n} grad": p.grad for n, p in network.named_parameters() if p.grad is not None}
    return network.state_dict() | gradients | {"loss": loss, "next draw": torch.rand(1)}


def differing(one: dict[str, Tensor], two: dict[str, Tensor]) -> list[str]:
    assert one.keys() == two.keys()
    return [name for name, tensor in one.items() if not torch.equal(tensor, two[name])]


@pytest.mark.parametrize(
    ("compute", "n_accumulate", "bn_freeze"),
    [(AUTO, 1, "none"), (AUTO, 2, "all"), (BF16, 2, "none")],
    ids=["auto", "auto in parts", "bf16 in parts"],
)
@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext", "test_nfnet"]
)
def test_a_step_is_the_same_to_the_bit(
    name: str, compute: Compute, n_accumulate: int, bn_freeze: str
) -> None:
    """Norms that move or not, dropout and stochastic depth, parts, each precision."""
    split, norms = Split(n_accumulate), {"bn_freeze": bn_freeze}
    usual, checkpointed = (
        step(restless(name), optimizer.model_copy(update=norms), split, compute)
        for optimizer in (OPTIMIZER, ON)
    )
    assert differing(usual, checkpointed) == []


def test_layers_that_take_a_growing_list_are_computed_again_from_what_they_had() -> None:
    usual, checkpointed = (
        step(restless("densenet121"), optimizer, Split(2), PLAIN_CPU)
        for optimizer in (OPTIMIZER, ON)
    )
    assert differing(usual, checkpointed) == []


def passes(network: Network, run: Callable[[], object]) -> list[int]:
    """How often each block has been computed, in the order of the network."""
    counts: list[int] = []

    def count(at: int) -> Callable[..., None]:
        def add(*_: object) -> None:
            counts[at] += 1

        return add

    for number, block in enumerate(blocks_of(network.backbone.model, "")):
        counts.append(0)
        first = next(module for module in block.modules() if isinstance(module, nn.Conv2d))
        first.register_forward_hook(count(number))
    run()
    return counts


def test_only_blocks_that_train_are_computed_again() -> None:
    network = small_network()
    pictures = torch.rand(N, 3, PX, PX) * 255

    def train(first: int) -> None:
        set_mode(network, first, ON)
        network(pictures).sum().backward()

    def predict() -> None:
        with torch.inference_mode():
            network(pictures)

    assert passes(network, lambda: train(0)) == [2, 2, 2, 2, 2]
    network = small_network()
    assert passes(network, lambda: train(1)) == [1, 1, 1, 2, 2]
    network = small_network()
    set_mode(network, 0, ON)
    assert passes(network, predict) == [1, 1, 1, 1, 1]


def kept(name: str, optimizer: FinetuneOptimizerParams) -> int:
    """Bytes of the activations that a forward pass keeps, the inputs of blocks included."""
    network, storages = small_network(name), dict[int, int]()
    set_mode(network, 0, optimizer)
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = [
            block.register_forward_pre_hook(lambda _, inputs: keep(inputs[0]))
            for block in blocks_of(network.backbone.model, "")
            if optimizer.checkpoint_activations
        ]
        network(torch.rand(N, 3, PX, PX) * 255)
    assert held or not optimizer.checkpoint_activations
    return sum(storages.values())


@pytest.mark.parametrize(("name", "at_most"), [("test_resnet", 0.7), ("test_vit", 0.25)])
def test_less_is_kept(name: str, at_most: float, figures: Callable[[str], None]) -> None:
    less, all_ = kept(name, ON), kept(name, OPTIMIZER)
    figures(f"{name}: {less / all_:.0%} of the bytes are kept")
    assert less < at_most * all_


@pytest.mark.parametrize(
    ("name", "n"), [("resnet34", 16), ("vit_small_patch16_224", 12), ("convnext_atto", 12)]
)
def test_the_blocks_are_those_of_the_network(name: str, n: int) -> None:
    with torch.device("meta"):
        model = timm_model(name)
    kinds = [type(block).__name__ for block in blocks_of(model, name)]
    assert max(kinds.count(kind) for kind in kinds) == n


def test_a_network_without_stated_layers_is_refused() -> None:
    with torch.device("meta"):
        model = timm_model("pit_ti_224")
    sentence = r"'pit_ti_224', whose layers timm does not state, .*checkpoint_activations must be"
    with pytest.raises(UnsuitableBackboneError, match=sentence):
        checkpoint_activations(model, "pit_ti_224")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_step_on_a_gpu_is_the_same_to_the_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Autograd runs the backward pass in a thread of its own there."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        gpu = Compute(torch.device("cuda"), torch.float32, torch.float32)
        usual, checkpointed = (
            step(restless(name), optimizer, Split(2), gpu) for optimizer in (OPTIMIZER, ON)
        )
    finally:
        torch.use_deterministic_algorithms(False)
    assert differing(usual, checkpointed) == []
