"""Parts of a batch that are computed as they would be in the whole batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from headstart.training.ranks import Ranks


class Place(NamedTuple):
    """Where a part lies in its batch: its first picture, and how many the part and the batch have."""

    first: int
    n: int
    n_all: int


class AsInWholeBatch(TorchFunctionMode):
    """A context in which a part of a batch is computed as it would be in the whole batch.

    Dropout and stochastic depth draw for the whole batch and use the rows of the part. On GPUs, batch
    norms that train take their statistics over the slices of all processes.

    Args:
        place: of the part.
        ranks: the processes that share each part.
        generator: draws on a CPU; None is torch's own.
    """

    def __init__(
        self, place: Place, ranks: Ranks, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self._place, self._ranks, self._generator = place, ranks, generator

    @property
    def is_of_team(self) -> bool:
        """Whether the part is computed beside others of its batch, with draws of its own."""
        return self._generator is not None

    def again(self) -> "AsInWholeBatch":
        """The same context, which makes the draws that this one makes from now on."""
        generator = self._generator and self._generator.clone_state()
        return AsInWholeBatch(self._place, self._ranks, generator)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.dropout:
            return self._dropout(*args, **(kwargs or {}))
        if func is Tensor.bernoulli_:
            return self._stochastic_depth(*args, **(kwargs or {}))
        if func is functional.batch_norm and self._ranks.joined and args[0].is_cuda:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _dropout(
        self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """As torch's function, with the same arguments."""
        if not training or not p:
            return input
        shape, own = self._whole(input)
        if self._generator is None:
            drawn = functional.dropout(input.new_ones(shape), p, True)
        else:  # the same draws; torch's function takes no generator
            drawn = self._bernoulli(input.new_empty(shape), 1 - p).div_(1 - p)
        return input * drawn[own]

    def _stochastic_depth(self, input: Tensor, p: float) -> Tensor:
        """As Tensor.bernoulli_, of which timm's stochastic depth makes its draws."""
        shape, own = self._whole(input)
        return input.copy_(self._bernoulli(input.new_empty(shape), p)[own])

    def _bernoulli(self, empty: Tensor, p: float) -> Tensor:
        return empty.bernoulli_(p, generator=self._generator)

    def _whole(self, part: Tensor) -> tuple[tuple[int, ...], slice]:
        """The shape of the whole batch's tensor, and which of its rows are those of the part's."""
        first, n, n_all = self._place
        rows, rest = divmod(len(part), n)  # of each picture: windows, for instance
        if rest:  # of no picture, such as a table of positions
            return tuple(part.shape), slice(None)
        return (n_all * rows, *part.shape[1:]), slice(first * rows, (first + n) * rows)

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
