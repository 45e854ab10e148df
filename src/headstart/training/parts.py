"""The gradients of a step, computed in parts: one after the other, and by several processes.

A batch is cut into `n_accumulate` parts, and each part into one slice for each process. The losses are
weighted as in the mean over the whole batch, and dropout's draws are those of the whole batch. So with
frozen batch norms the gradients are those of the whole batch, apart from rounding.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from headstart.backbone.seeding import draw_on, draws_so_far
from headstart.network.objective import Objective
from headstart.project.errors import HeadstartError
from headstart.training.ranks import ALONE, Ranks


class Place(NamedTuple):
    """Where a part lies in its batch: its first picture, and how many the part and the batch have."""

    first: int
    n: int
    n_all: int


class Part(NamedTuple):
    """Inputs and targets of a part, and its place in the batch."""

    inputs: Tensor
    targets: Tensor
    place: Place


@dataclass(frozen=True)
class Split:
    """How each batch is cut.

    Attributes:
        n_accumulate: parts that are computed one after the other, at least 1.
        ranks: the processes that share each part.
    """

    n_accumulate: int = 1
    ranks: Ranks = ALONE

    def places(self, n_all: int) -> list[Place]:
        """The parts of this process of a batch of n_all pictures.

        All processes together have at least two pictures of each part, for batch norms.

        Raises:
            HeadstartError: there are fewer pictures than processes.
        """
        parts = np.array_split(np.arange(n_all), min(self.n_accumulate, n_all // 2))
        mine = [np.array_split(part, self.ranks.n) for part in parts]
        if any(not len(slices[-1]) for slices in mine):
            raise HeadstartError(
                f"A part of a batch of {n_all} pictures has fewer pictures than there are processes "
                f"({self.ranks.n}). Raise optimizer_finetune.batch_size, or lower "
                "optimizer_finetune.n_accumulate or HEADSTART_PROCS."
            )
        own = [slices[self.ranks.number] for slices in mine]
        return [Place(int(rows[0]), len(rows), n_all) for rows in own]

    def gradients(
        self, model: nn.Module, objective: Objective, batch: Iterable[Part]
    ) -> tuple[Tensor, int]:
        """Give the parameters the gradients of the whole batch's mean loss; they must have none.

        Returns:
            the mean loss of the batch, and how many pictures it has.
        """
        if self.n_accumulate == 1 and not self.ranks.joined:
            [part] = batch
            loss = objective.loss(model(part.inputs), part.targets)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach(), part.place.n_all
        sums: list[Tensor] = []  # of each part: (loss times weight, weight)
        draws: list[Tensor] = []  # before the batch
        for part in batch:
            device = part.inputs.device
            draws = draws or draws_so_far(device)
            draw_on(draws, device)
            with AsInWholeBatch(part.place, self.ranks):
                loss = objective.loss(model(part.inputs), part.targets)
                weight = objective.weight(part.targets).to(loss)
            (loss * weight).backward()  # type: ignore[no-untyped-call]
            sums.append(torch.stack([loss.detach() * weight, weight]))
        total = torch.stack(sums).sum(0)
        own = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
        self.ranks.add_up([*own, total])
        for gradient in own:
            gradient.div_(total[1])
        return total[0] / total[1], part.place.n_all


WHOLE = Split()


class AsInWholeBatch(TorchFunctionMode):
    """A context in which a part of a batch is computed as it would be in the whole batch.

    Dropout draws for the whole batch and uses the rows of the part. On GPUs, batch norms that train
    take their statistics over the slices of all processes.
    """

    def __init__(self, place: Place, ranks: Ranks) -> None:
        super().__init__()
        self._place, self._ranks = place, ranks

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.dropout:
            return self._dropout(*args, **(kwargs or {}))
        if func is functional.batch_norm and self._ranks.joined and args[0].is_cuda:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _dropout(
        self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """As torch's function, with the same arguments."""
        if not training or not p:
            return input
        first, n, n_all = self._place
        drawn = functional.dropout(input.new_ones(n_all, *input.shape[1:]), p, True)
        return input * drawn[first : first + n]

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """As torch's function, with the same arguments."""
        if not training:
            return functional.batch_norm(
                input, running_mean, running_var, weight, bias, False, momentum, eps
            )
        from torch.distributed import group
        from torch.nn.modules._functions import SyncBatchNorm

        normed: Tensor = SyncBatchNorm.apply(  # type: ignore[no-untyped-call]
            input, weight, bias, running_mean, running_var, eps, momentum, group.WORLD,
            self._ranks.n,
        )  # fmt: skip
        return normed
