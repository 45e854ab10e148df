"""Whether a reduced precision trains on the right gradients."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from headstart.backbone.device import Compute
from headstart.network.network import Network
from headstart.project.errors import HeadstartError
from headstart.training.loop import Loss

# EfficientNet-Lite0 in bf16 reached 0.95 with its batch norms frozen and 0.16 to 0.60 with them in
# training mode, and then trained badly; float32 reaches 0.997 or more.
MIN_COSINE = 0.99


class PrecisionError(HeadstartError):
    """The chosen precision gives gradients that point in another direction than float64's."""


def gradient_cosine(
    network: Network,
    set_mode: Callable[[Network], object],
    batch: tuple[Tensor, Tensor],
    loss: Loss,
    compute: Compute,
) -> float:
    """Cosine between all gradients of one batch in the training precision and in float64.

    Works on copies, with dropout off, so that both see the same function.

    Args:
        network: in the state to train from.
        set_mode: puts a copy into the modes it trains in.
        batch: pictures (N, 3, S, S) in [0, 255] and targets (N,).
        loss: of (logits, targets).
        compute: the precision in question.
    """
    exact = Compute(compute.device, torch.float32, torch.float32)

    def gradients(in_precision: Compute, weights: torch.dtype) -> Tensor:
        trial = copy.deepcopy(network).to(weights)
        trial.backbone.compute = in_precision
        set_mode(trial)
        for module in trial.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        pictures, targets = batch
        loss(trial(pictures), targets).backward()  # type: ignore[no-untyped-call]
        trained = [p.grad for p in trial.parameters() if p.grad is not None]
        return torch.cat([gradient.double().flatten() for gradient in trained])

    found, wanted = gradients(compute, torch.float32), gradients(exact, torch.float64)
    return float(nn.functional.cosine_similarity(found, wanted, dim=0))


def require_right_gradients(cosine: float, compute: Compute) -> None:
    """Refuse to train in a precision whose gradients differ too much from float64's.

    Raises:
        PrecisionError: the cosine is below MIN_COSINE, or nan.
    """
    if not cosine >= MIN_COSINE:
        precision = compute.describe()["training_precision"]
        raise PrecisionError(
            f"runtime.precision: gradients in {precision} have a cosine of {cosine:.3f} with those "
            f"of float64; at least {MIN_COSINE} is needed: use auto or fp32."
        )
