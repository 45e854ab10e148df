"""The phases in params.yaml, and what they train of a network."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from headstart.backbone.sizes import Size
from headstart.network.head import Probability
from headstart.network.network import Network
from headstart.project.errors import HeadstartError
from headstart.project.section import Section
from headstart.training.activation_checkpointing import checkpoint_activations
from headstart.training.batch_norm import BnFreeze, BnMomentum, set_training_mode
from headstart.training.layer_groups import (
    first_group,
    group_rates,
    module_groups,
    parameter_groups,
)
from headstart.training.lr_curve import Suggestion
from headstart.training.material import Material, Phase
from headstart.training.optimizer import OptimizerParams, ParameterGroup
from headstart.training.schedules import Step, clr, cycle_epochs, one_cycle, opposed, sgdr

Rate = Annotated[float, Field(gt=0)] | Literal["auto"]

MAX_EPOCHS = 10_000  # of one phase; more is a cycle_mult set by mistake

OF_SCHEDULE = {
    "sgdr": {"warmup_frac"},
    "clr": {"lr_div", "rise_frac", "momentum_low"},
    "one_cycle": {"lr_div", "tail_frac", "momentum_low"},
}
"""The keys that each schedule needs."""


class PhaseParams(Section):
    """One phase: what is trainable, at what size and rate, in which cycles."""

    trainable: Literal["head", "late", "all"] = Field(
        description="head: only the head; late: the head, and the backbone from stride 8 on; all: the "
        "whole network. Without strides it begins where the second of the parts does "
        "(optimizer_finetune.n_groups 3 or 4), or the third (5)"
    )
    size_px: Size = Field(
        description="side of the network input, px, 32 to 4,096; full: backbone.size_px"
    )
    lr: Rate = Field(
        description="highest rate of the head, above 0; auto: what the range test suggests"
    )
    cycles: int = Field(ge=1, le=1000, description="number of cycles, 1 to 1,000")
    cycle_len: int = Field(ge=1, le=1000, description="epochs of the first cycle, 1 to 1,000")
    cycle_mult: int = Field(
        ge=1,
        le=100,
        description="each cycle has this many times the epochs of the one before, 1 to 100",
    )
    schedule: Literal["sgdr", "clr", "one_cycle"] = Field(
        description="sgdr: a cosine in each cycle, the default choice; clr: a triangle in each cycle, "
        "gentler with rates near the highest that works; one_cycle: up, down and a low tail, for a "
        "few epochs in one cycle"
    )
    warmup_frac: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="sgdr: part of the first cycle that runs at a hundredth of the rate, in [0, 1)",
    )
    lr_div: float | None = Field(
        default=None,
        ge=1,
        le=1e6,
        description="clr, one_cycle: highest rate divided by the rate at the start, 1 to 1e+06",
    )
    rise_frac: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="clr: part of a cycle in which the rate rises, in (0, 1)",
    )
    tail_frac: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="one_cycle: last part of a cycle, in which the rate falls to a hundredth of the "
        "rate at the start, in [0, 1)",
    )
    momentum_low: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="clr, one_cycle: momentum where the rate is highest, in [0, 1); equal to the "
        "optimiser's momentum, it stays constant",
    )

    @model_validator(mode="after")
    def _few_epochs(self) -> Self:
        if self.n_epochs() > MAX_EPOCHS:
            raise ValueError(
                f"cycles is {self.cycles}, which with cycle_len {self.cycle_len} and cycle_mult "
                f"{self.cycle_mult} makes more than {MAX_EPOCHS:,} epochs, the limit of a phase"
            )
        return self

    @model_validator(mode="after")
    def _keys_of_the_schedule(self) -> Self:
        wanted = OF_SCHEDULE[self.schedule]
        found = {key for key in set.union(*OF_SCHEDULE.values()) if getattr(self, key) is not None}
        if missing := sorted(wanted - found):
            raise ValueError(f"schedule is {self.schedule}, which needs {', '.join(missing)}")
        if unused := sorted(found - wanted):
            them = "them" if len(unused) > 1 else "it"
            raise ValueError(
                f"schedule is {self.schedule}, which does not use {', '.join(unused)}; remove {them}"
            )
        return self

    def epochs_of_cycles(self) -> list[int]:
        """Epochs of each cycle."""
        return cycle_epochs(self.cycles, self.cycle_len, self.cycle_mult)

    def n_epochs(self) -> int:
        """Epochs of the whole phase."""
        return sum(self.epochs_of_cycles())

    def steps(self, n_batches: int, momentum: float) -> list[Step]:
        """The schedule of the whole phase.

        Args:
            n_batches: steps of an epoch.
            momentum: of the optimiser; the highest of the schedule.

        Raises:
            ValueError: momentum_low is above `momentum`.
        """
        cycles = self.epochs_of_cycles()
        if self.warmup_frac is not None:
            return [Step(factor) for factor in sgdr(cycles, n_batches, self.warmup_frac)]
        assert self.lr_div is not None and self.momentum_low is not None  # _keys_of_the_schedule
        if self.momentum_low > momentum:
            raise HeadstartError(
                f"momentum_low is {self.momentum_low}, above the optimiser's momentum ({momentum})."
            )
        if self.rise_frac is not None:
            factors = clr(cycles, n_batches, self.lr_div, self.rise_frac)
        else:
            factors = one_cycle(cycles, n_batches, self.lr_div, self.tail_frac or 0.0)
        return opposed(factors, self.lr_div, momentum, self.momentum_low)


class PhasesParams(Section):
    """A section that trains in phases."""

    phases: tuple[PhaseParams, ...] = Field(
        strict=False, min_length=1, description="at least one phase, in order"
    )
    seed: int = Field(
        ge=0, description="seed of the pictures' order, of their views and of dropout, at least 0"
    )

    @model_validator(mode="after")
    def _auto_is_first(self) -> Self:
        for number, phase in enumerate(self.phases[1:], start=1):
            if phase.lr == "auto":
                raise ValueError(
                    f"phases.{number}.lr is auto, which only the first phase may have: the range "
                    "test runs from the weights that it starts with; set a number"
                )
        return self


class FinetuneOptimizerParams(OptimizerParams):
    """Section `optimizer_finetune`: read by the range test and by the training alike."""

    n_accumulate: int = Field(
        ge=1,
        description="parts of a batch that are computed one after the other, for networks whose batch "
        "does not fit in memory; at least 1, at most half of batch_size; the step is that of "
        "the whole batch",
    )
    checkpoint_activations: bool = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="keep only the input of each block, and compute its activations again in the "
        "backward pass: less memory for more time, and the same results to the bit",
    )
    n_groups: int = Field(
        ge=2,
        le=5,
        description="number of layer groups, 2 to 5: the head, and the backbone in one part (2), or "
        "cut after stride 8 (3, as in the course), 8 and 16 (4), or 4, 8 and 16 (5); without these "
        "strides, into 2, 3 or 4 equal parts of its layers",
    )
    lr_ratio: float = Field(
        ge=1,
        le=1000,
        description="ratio between the rates of neighbouring layer groups, 1 to 1,000; the course "
        "uses 3 to 10",
    )
    decay_ratio: float = Field(
        ge=0.001,
        le=1000,
        description="ratio between the weight decays of neighbouring layer groups, 0.001 to 1,000; "
        "above 1 the early groups, which change least, decay least; 1: the same for all",
    )
    dropout: tuple[Probability, Probability] = Field(
        strict=False, description="dropout of the head while the network trains, each in [0, 1)"
    )
    bn_freeze: BnFreeze = Field(
        description="batch norms that keep their statistics: none, backbone, or all (the head's too)"
    )
    bn_momentum: BnMomentum = Field(
        description="weight of a batch in the statistics of norms that are not frozen, in (0, 1]; own: "
        "each norm's own value"
    )

    @model_validator(mode="after")
    def _two_pictures_a_part(self) -> Self:
        if 2 * self.n_accumulate > self.batch_size:
            raise ValueError(
                f"n_accumulate is {self.n_accumulate}, which leaves a part of a batch fewer than 2 of "
                f"batch_size's {self.batch_size} pictures; it must be at most {self.batch_size // 2}"
            )
        return self

    def about_norms(self) -> list[str]:
        """The keys whose values single out the backbone's batch norms, or change any."""
        keys = {"bn_freeze": self.bn_freeze == "backbone", "bn_momentum": self.bn_momentum != "own"}
        return [key for key, is_set in keys.items() if is_set]


def rate(lr: Rate, suggestion: Suggestion, key: str) -> float:
    """The number that `lr` stands for.

    Args:
        lr: a rate, or "auto".
        suggestion: the result of the range test.
        key: the dotted key of `lr`, for the error message.

    Raises:
        ValueError: `lr` is "auto" and there is no suggestion.
    """
    if lr != "auto":
        return lr
    if suggestion.lr is None:
        raise HeadstartError(
            f"{key} is auto, but the range test has no suggestion: {suggestion.reason}. "
            "Set a number, or lengthen the test."
        )
    return suggestion.lr


def lower(lr: float, suggestion: Suggestion) -> str:
    """What to do about a rate at which the training diverged, as a sentence."""
    if suggestion.lr is None:
        return f"Set a lower one. The range test suggests none: {suggestion.reason}."
    if suggestion.lr < lr:
        return f"Set a lower one; the range test suggests {suggestion.lr:.3g}."
    return f"Set a lower one, although the range test suggests {suggestion.lr:.3g}."


def head_phase(head: nn.Module, lr: float, optimizer: OptimizerParams, material: Material) -> Phase:
    """A phase of the head alone on cached features, with no norm frozen; no epochs yet."""
    group = ParameterGroup(list(head.parameters()), lr, optimizer.weight_decay)
    return Phase([group], head.train, material, head_alone=True)


def set_mode(network: Network, first: int, optimizer: FinetuneOptimizerParams) -> None:
    """Let the groups from number `first` on train, as the optimiser's section says.

    Raises:
        UnsuitableBackboneError: activations cannot be checkpointed.
    """
    if optimizer.checkpoint_activations:
        checkpoint_activations(network.backbone.model, network.backbone.architecture)
    n = optimizer.n_groups
    for number, group in enumerate(parameter_groups(network, n)):
        for parameter in group:
            parameter.requires_grad_(number >= first)
    modules = module_groups(network, n)
    set_training_mode(modules, first, optimizer.bn_freeze, optimizer.bn_momentum)


def unfrozen(
    network: Network,
    first: int,
    optimizer: FinetuneOptimizerParams,
    lr: float,
    material: Material,
) -> Phase:
    """A phase that trains the groups from number `first` on, the last at `lr`; no epochs yet."""
    n = optimizer.n_groups
    parameters = parameter_groups(network, n)
    rates = group_rates(lr, optimizer.lr_ratio, n)
    decays = group_rates(optimizer.weight_decay, optimizer.decay_ratio, n)
    groups = [ParameterGroup(parameters[g], rates[g], decays[g]) for g in range(first, n)]
    mode = partial(set_mode, network, first, optimizer)
    return Phase(groups, mode, material, head_alone=first == n - 1)


def network_phase(
    network: Network,
    params: PhaseParams,
    optimizer: FinetuneOptimizerParams,
    lr: float,
    material: Material,
) -> Phase:
    """A phase on live pictures, with its groups, their rates and the modes of the batch norms."""
    first = first_group(params.trainable, optimizer.n_groups)
    return scheduled(unfrozen(network, first, optimizer, lr, material), params, optimizer)


def scheduled(phase: Phase, params: PhaseParams, optimizer: OptimizerParams) -> Phase:
    """The phase with the cycles and the schedule that `params` states."""
    return replace(
        phase,
        cycles=params.epochs_of_cycles(),
        schedule=lambda n_batches: params.steps(n_batches, optimizer.momentum),
    )
