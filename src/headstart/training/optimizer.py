"""The optimisers: one step of SGD or Adam over groups of parameters, by torch's own functions.

torch's optimiser classes import torch's compiler when one of them is made. This takes 0.8 s of a stage
whose head trains in 0.3 s. The functions that do the classes' steps do not import it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from headstart.project.section import Section
from headstart.training.schedules import Step


class OptimizerParams(Section):
    """The settings of every optimiser, apart from its rate."""

    name: Literal["sgd", "sgdw", "adam", "adamw"] = Field(
        description="sgd (with momentum) or adam, with L2 weight decay; sgdw or adamw, with decoupled "
        "weight decay"
    )
    momentum: float = Field(ge=0, lt=1, description="momentum of sgd, beta 1 of adam, in [0, 1)")
    weight_decay: float = Field(ge=0, le=10, description="0 to 10; 0: none")
    clip_norm: float = Field(
        ge=0,
        description="largest norm of all gradients together; larger ones are scaled down to it, at "
        "least 0; 0: no clipping",
    )
    batch_size: int = Field(ge=2, le=65_536, description="pictures a step, 2 to 65,536")


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share one rate, the highest of their schedule, and one weight decay."""

    parameters: Sequence[nn.Parameter]
    lr: float
    weight_decay: float = 0.0


class Optimizer:
    """SGD or Adam over the groups that have parameters; it starts without any momentum built up.

    Attributes:
        groups: the groups that have parameters, in order.
        momentum: of SGD, beta 1 of Adam, in [0, 1).
    """

    def __init__(self, groups: Iterable[ParameterGroup], params: OptimizerParams) -> None:
        self.groups = [group for group in groups if group.parameters]
        self.momentum = params.momentum
        self._params = params
        self._lr_factor = 1.0
        self._momenta: dict[nn.Parameter, Tensor | None] = {}  # of SGD
        self._moments: dict[nn.Parameter, tuple[Tensor, Tensor, Tensor]] = {}  # of Adam, and steps

    def lrs(self) -> list[float]:
        """Each group's rate of the next step."""
        return [group.lr * self._lr_factor for group in self.groups]

    def set(self, step: Step) -> None:
        """Set every group's rate (its highest one times the step's factor), and any momentum."""
        self._lr_factor = step.lr
        if step.momentum is not None:
            self.momentum = step.momentum

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Clip the gradients by the norm of all of them, then update each parameter that has one.

        `sgdw` first multiplies each parameter by 1 - lr * weight decay: torch has no such SGD.

        Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101.
        """
        if self._params.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters(), self._params.clip_norm)
        for group, lr in zip(self.groups, self.lrs(), strict=True):
            moving = [p for p in group.parameters if p.grad is not None]
            grads = [p.grad for p in moving if p.grad is not None]
            decay = group.weight_decay
            match self._params.name:
                case "sgdw":
                    for parameter in moving if decay else ():
                        parameter.mul_(1 - lr * decay)
                    self._sgd(moving, grads, lr, 0.0)
                case "sgd":
                    self._sgd(moving, grads, lr, decay)
                case "adam" | "adamw":
                    self._adam(moving, grads, lr, decay)

    def built_up(self) -> list[tuple[Tensor, ...]]:
        """What the steps so far have built up for each parameter, in order; () is nothing yet.

        SGD: (momentum,). Adam: (mean of the gradients, mean of their squares, number of steps).
        """
        of: dict[nn.Parameter, tuple[Tensor, ...]] = {**self._moments}
        of |= {p: (momentum,) for p, momentum in self._momenta.items() if momentum is not None}
        return [of.get(parameter, ()) for parameter in self._parameters()]

    def restore(self, built_up: Sequence[tuple[Tensor, ...]]) -> None:
        """Go on with what another optimiser of the same groups had built up."""
        for parameter, tensors in zip(self._parameters(), built_up, strict=True):
            match tensors:
                case (momentum,):
                    self._momenta[parameter] = torch.empty_like(parameter).copy_(momentum)
                case (mean, square, steps):
                    mean, square = (torch.empty_like(parameter).copy_(t) for t in (mean, square))
                    self._moments[parameter] = mean, square, steps

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.groups for parameter in group.parameters]

    def _sgd(
        self, moving: list[nn.Parameter], grads: list[Tensor], lr: float, weight_decay: float
    ) -> None:
        buffers = [self._momenta.get(parameter) for parameter in moving]
        sgd(
            list[Tensor](moving), grads, buffers, lr=lr, weight_decay=weight_decay,
            momentum=self.momentum, dampening=0.0, nesterov=False, maximize=False,
        )  # fmt: skip
        self._momenta |= dict(zip(moving, buffers, strict=True))

    def _adam(
        self, moving: list[nn.Parameter], grads: list[Tensor], lr: float, weight_decay: float
    ) -> None:
        for new in (p for p in moving if p not in self._moments):
            self._moments[new] = torch.zeros_like(new), torch.zeros_like(new), torch.zeros(())
        averages, squares, steps = ([self._moments[p][i] for p in moving] for i in range(3))
        adam(
            list[Tensor](moving), grads, averages, squares, [], steps,
            decoupled_weight_decay=self._params.name == "adamw", weight_decay=weight_decay, lr=lr,
            beta1=self.momentum, beta2=0.999, eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip
