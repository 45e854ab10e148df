"""The gradients of a step, computed in parts: one after the other, and by several processes or threads.

A batch is cut into `n_accumulate` parts, and each part into one slice for each process. Of a slice each
of two teams of threads takes a half. The losses are weighted as in the mean over the whole batch, and
the draws of dropout and of stochastic depth are those of the whole batch. So with frozen batch norms
the gradients are those of the whole batch, apart from rounding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.backbone.seeding import draw_on, draws_so_far
from headstart.backbone.teams import Teams
from headstart.network.objective import Objective
from headstart.project.errors import HeadstartError
from headstart.training.ranks import ALONE, Ranks
from headstart.training.whole_batch import AsInWholeBatch, Place


class Part(NamedTuple):
    """Inputs and targets of a part, and its place in the batch."""

    inputs: Tensor
    targets: Tensor
    place: Place

    def halves(self) -> tuple["Part", "Part"]:
        """Both halves of a part of at least two pictures."""
        n, (first, n_part, n_all) = len(self.targets) // 2, self.place
        return (
            Part(self.inputs[:n], self.targets[:n], Place(first, n, n_all)),
            Part(self.inputs[n:], self.targets[n:], Place(first + n, n_part - n, n_all)),
        )


@dataclass(frozen=True)
class Split:
    """How each batch is cut.

    Attributes:
        n_accumulate: parts that are computed one after the other, at least 1.
        ranks: the processes that share each part.
        teams: the threads that share what is this process's, if each picture has its own loss: with
            frozen batch norms. None: they share each operation.
    """

    n_accumulate: int = 1
    ranks: Ranks = ALONE
    teams: Teams | None = None

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
        if self.n_accumulate == 1 and not self.ranks.joined and not self.teams:
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
            if halves := self._in_halves(model, objective, part, draws[0]):
                sums += halves
                continue
            with AsInWholeBatch(part.place, self.ranks):
                loss, total = _weighted(model, objective, part)
            loss.backward()  # type: ignore[no-untyped-call]
            sums.append(total)
        total = torch.stack(sums).sum(0)
        own = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
        self.ranks.add_up([*own, total])
        for gradient in own:
            gradient.div_(total[1])
        return total[0] / total[1], part.place.n_all

    def _in_halves(
        self, model: nn.Module, objective: Objective, part: Part, draws: Tensor
    ) -> list[Tensor]:
        """Add the gradients of a part to those of the parameters; each team computes a half.

        Args:
            draws: the state of torch's draws on the CPU before the batch.

        Returns:
            what `_weighted` adds up, of each half. Nothing if one team must compute the part; then
            nothing has changed.
        """
        if not self.teams or len(part.targets) < 2 or _needs_one_team(model):
            return []
        trained = [p for p in model.parameters() if p.requires_grad]

        def gradients(half: Part) -> tuple[Sequence[Tensor | None], Tensor, Tensor]:
            generator = torch.Generator()
            generator.set_state(draws)
            with AsInWholeBatch(half.place, self.ranks, generator):
                loss, total = _weighted(model, objective, half)
            found = torch.autograd.grad(loss, trained, allow_unused=True)
            return found, total, generator.get_state()

        (one, total, after), (other, other_total, _) = self.teams.both(gradients, part.halves())
        if not torch.equal(torch.get_rng_state(), draws):  # both have drawn from the same source
            _DRAWS_BY_ITSELF.add(model)
            torch.set_rng_state(draws)
            return []
        torch.set_rng_state(after)
        for parameter, *found in zip(trained, one, other, strict=True):
            for gradient in found:
                if gradient is not None:
                    own = parameter.grad
                    parameter.grad = gradient if own is None else own.add_(gradient)
        return [total, other_total]


WHOLE = Split()

_DRAWS_BY_ITSELF: WeakSet[nn.Module] = WeakSet()
"""Networks that make draws which AsInWholeBatch does not know."""


def _needs_one_team(model: nn.Module) -> bool:
    """Whether two threads cannot run the model at once, each with pictures of its own."""
    return model in _DRAWS_BY_ITSELF or any(
        isinstance(module, _BatchNorm) and module.training for module in model.modules()
    )


def _weighted(model: nn.Module, objective: Objective, part: Part) -> tuple[Tensor, Tensor]:
    """The loss of a part times its weight; and both, as numbers that are added up."""
    loss = objective.loss(model(part.inputs), part.targets)
    weight = objective.weight(part.targets).to(loss)
    return loss * weight, torch.stack([loss.detach() * weight, weight])
