"""Keeps the state of a stage's training on disk, so that a killed stage goes on where it was."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct

from headstart.backbone.device import Compute
from headstart.kept.states import States, any_states, digest_of, n_bytes_of
from headstart.network.objective import Scores
from headstart.project.versions import versions
from headstart.project.work import code_digest
from headstart.training.best_weights import Mark, Standing
from headstart.training.lr_curve import LrCurve
from headstart.training.outcome import Epoch, FitResult, Point
from headstart.training.resume import FitState, Moving, RangeState
from headstart.training.stop_rule import WorseFirstCycle

S = TypeVar("S")

SHARE = 0.01  # largest part of a training's time that keeping states may take
LEAST_S = 1.0  # between two states
BYTES_A_S = 2e8  # of the inputs: how long the first state takes is expected from them

# A state holds tensors, plain values and these; torch refuses to load anything else.
_OURS = (Epoch, FitResult, FitState, LrCurve, Mark, Moving, Point, RangeState, Scores, Standing)
_OF_ARRAYS = (_reconstruct, np.ndarray, np.dtype, np.dtypes.Float64DType, bytes)  # of empty ones
_LOADED = (*_OURS, WorseFirstCycle, *_OF_ARRAYS)


class Stage(Protocol):
    """The run of a stage, as far as its states need it."""

    @property
    def name(self) -> str:
        """The stage."""
        ...

    @property
    def params(self) -> Mapping[str, str]:
        """All values of the sections that it loads, by dotted key."""
        ...

    def goes_on(self, where: str) -> None:
        """Say that the stage goes on, such as "at epoch 5 of 7"."""
        ...

    def at_end(self, do: Callable[[], object]) -> None:
        """Call `do` when the stage has ended well."""
        ...


class KeptTraining:
    """A `Resume` that keeps states in the work folder. They are removed when the stage has ended.

    A state is due when the last one is older than `least_s`, and 1 / `share` times as old as writing
    it took. The first one takes longer, because its key needs the digests of the inputs.

    A state is found again only by a run with the same code, params, inputs, versions, device and
    number of processes.
    """

    def __init__(
        self,
        stage: Stage,
        rooms: Sequence[str],
        inputs: Sequence[Path],
        compute: Compute,
        share: float = SHARE,
        least_s: float = LEAST_S,
        n_processes: int = 1,
    ) -> None:
        """Begin; nothing is read yet.

        Args:
            stage: with its name and the params of all sections that it loads.
            rooms: all of the package that the stage declares, as in `code_digest`.
            inputs: all files and folders that it reads, and its script.
            compute: device and precisions.
            share: largest part of the time that keeping states may take, above 0.
            least_s: least time between two states, s.
            n_processes: that train together; their number decides the last bits of sums.
        """
        self._stage, self._rooms, self._inputs, self._compute = stage, rooms, inputs, compute
        self._share, self._least_s, self._n_processes = share, least_s, n_processes
        self._took_s = n_bytes_of(inputs) / BYTES_A_S
        self._kept_at = time.monotonic()
        stage.at_end(self._end)

    def last(self, kind: type[S]) -> S | None:
        """The last state of a broken-off run; None where there is none, or it is damaged."""
        if not any_states(self._stage.name) or self._states is None:
            return None
        if not (file := self._states.last()):
            return None
        try:
            with torch.serialization.safe_globals([*_LOADED]):
                state = torch.load(file, map_location="cpu", weights_only=True)
        except (UnpicklingError, RuntimeError) as error:
            warnings.warn(
                f"The state {file} cannot be read, so it is ignored: {error}", stacklevel=2
            )
            return None
        finally:
            self._kept_at = time.monotonic()
        return state if isinstance(state, kind) else None

    def offer(self, make: Callable[[], object]) -> None:
        """Keep what `make` gives, if a state is due. A full disk costs the state, not the training."""
        began = time.monotonic()
        if began - self._kept_at < max(self._least_s, self._took_s / self._share):
            return
        try:
            if self._states is not None:
                state = make()
                self._states.write(lambda file: torch.save(state, file))
        except OSError as error:
            warnings.warn(
                f"The state of {self._stage.name} cannot be kept ({error}). If the stage is killed "
                "now, it goes on from an earlier state, or begins anew.",
                stacklevel=2,
            )
        self._kept_at = time.monotonic()
        self._took_s = self._kept_at - began

    def goes_on(self, where: str) -> None:
        """Say that the stage goes on."""
        self._stage.goes_on(where)

    @cached_property
    def _states(self) -> States | None:
        """None where nothing may be kept, or where another process trains the same."""
        from headstart.kept.records import keeps_records  # late: most stages end before

        return States.hold(self._stage.name, self._key()) if keeps_records() else None

    def _key(self) -> dict[str, Any]:
        """All that shapes the result."""
        return {
            "code": code_digest(*self._rooms),
            "params": dict(self._stage.params),
            "inputs": digest_of(self._inputs),
            "versions": versions(),
            "processes": self._n_processes,
            **self._compute.describe(),
            **self._compute.kernels(),
        }

    def _end(self) -> None:
        if states := vars(self).get("_states"):  # nobody asked for them: there are none
            states.remove()
            states.release()
