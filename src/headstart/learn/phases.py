"""Phases as params.yaml states them, and what they mean for a network."""

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator
from torch import nn

from headstart.core.lr_curve import Suggestion
from headstart.core.schedules import cycle_epochs, sgdr
from headstart.core.section import Section
from headstart.learn.batch_norm import BnFreeze, set_training_mode
from headstart.learn.fit import Phase
from headstart.learn.head import Probability
from headstart.learn.layer_groups import group_rates, module_groups, parameter_groups
from headstart.learn.loop import OptimizerParams, ParameterGroup
from headstart.learn.network import Network

Rate = float | Literal["auto"]

FIRST_GROUP = {"all": 0, "late": 1, "head": 2}


class PhaseParams(Section):
    """One phase: what is trainable, at what rate, in which cycles (SGDR)."""

    trainable: Literal["head", "late", "all"] = Field(
        description="head; late: the backbone from stride 8 on, and the head; all"
    )
    lr: Rate = Field(
        description="highest rate of the head, above 0; auto: what the range test suggests"
    )
    cycles: int = Field(ge=1, description="number of cycles, at least 1")
    cycle_len: int = Field(ge=1, description="epochs of the first cycle, at least 1")
    cycle_mult: int = Field(ge=1, description="each cycle has this many times the epochs before it")
    warmup_frac: float = Field(
        ge=0, lt=1, description="part of the first cycle run at a hundredth of the rate, in [0, 1)"
    )

    @model_validator(mode="after")
    def _lr_is_above_0(self) -> Self:
        if self.lr != "auto" and self.lr <= 0:
            raise ValueError(f"lr is {self.lr}, it must be above 0, or auto")
        return self

    def epochs_of_cycles(self) -> list[int]:
        """Epochs of each cycle."""
        return cycle_epochs(self.cycles, self.cycle_len, self.cycle_mult)

    def n_epochs(self) -> int:
        """Epochs of the whole phase."""
        return sum(self.epochs_of_cycles())


class PhasesParams(Section):
    """A section that trains in phases."""

    phases: tuple[PhaseParams, ...] = Field(
        strict=False, min_length=1, description="at least one phase, in order"
    )
    seed: int = Field(ge=0, description="of the order of the pictures, their views, and dropout")

    @model_validator(mode="after")
    def _auto_is_first(self) -> Self:
        for number, phase in enumerate(self.phases[1:], start=1):
            if phase.lr == "auto":
                raise ValueError(
                    f"phases.{number}.lr is auto, which only the first phase can be: the range test "
                    "runs from its starting point"
                )
        return self


class FinetuneOptimizerParams(OptimizerParams):
    """Section `optimizer_finetune`: read by the range test and by the training alike."""

    lr_ratio: float = Field(
        ge=1, description="between the rates of neighbouring layer groups; the course: 3 to 10"
    )
    dropout: tuple[Probability, Probability] = Field(
        strict=False, description="of the head while the network trains, each in [0, 1)"
    )
    bn_freeze: BnFreeze = Field(
        description="batch norms that keep their statistics: none, backbone, or all (the head's too)"
    )


def rate(lr: Rate, suggestion: Suggestion, key: str) -> float:
    """The number that `lr` stands for.

    Args:
        lr: a rate, or "auto".
        suggestion: what the range test said.
        key: the dotted key of `lr`, for the sentence.

    Raises:
        ValueError: `lr` is "auto" and there is no suggestion.
    """
    if lr != "auto":
        return lr
    if suggestion.lr is None:
        raise ValueError(
            f"{key} is auto, but the range test has no suggestion: {suggestion.reason}. "
            "Set a number, or lengthen the test."
        )
    return suggestion.lr


def head_phase(head: nn.Module, lr: float) -> Phase:
    """The head alone on cached features, its batch norms running; no epochs yet."""
    return Phase([ParameterGroup(list(head.parameters()), lr)], set_mode=head.train)


def network_phase(
    network: Network, params: PhaseParams, optimizer: FinetuneOptimizerParams, lr: float
) -> Phase:
    """A live phase: gradients, rates a group and batch norm modes."""
    return with_cycles(unfrozen(network, FIRST_GROUP[params.trainable], optimizer, lr), params)


def unfrozen(network: Network, first: int, optimizer: FinetuneOptimizerParams, lr: float) -> Phase:
    """Groups from number `first` on train, the last one at `lr`; no epochs yet."""
    modules, parameters = module_groups(network), parameter_groups(network)
    rates = group_rates(lr, optimizer.lr_ratio)

    def set_mode() -> None:
        for number, group in enumerate(parameters):
            for parameter in group:
                parameter.requires_grad_(number >= first)
        set_training_mode(modules, first, optimizer.bn_freeze)

    groups = [ParameterGroup(parameters[g], rates[g]) for g in range(first, len(rates))]
    return Phase(groups, set_mode)


def with_cycles(phase: Phase, params: PhaseParams) -> Phase:
    """The phase with the SGDR schedule that `params` states."""
    cycles = params.epochs_of_cycles()
    return replace(
        phase, cycles=cycles, factors=lambda batches: sgdr(cycles, batches, params.warmup_frac)
    )
