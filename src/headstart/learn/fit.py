"""Phases, cycles and epochs around the training loop."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from headstart.core.lr_curve import LrCurve, RangeTestParams, diverged, smooth
from headstart.core.report import Report
from headstart.core.sampling import Sampler
from headstart.core.schedules import constant
from headstart.core.task import Task
from headstart.learn.loop import (
    OptimizerParams,
    ParameterGroup,
    Source,
    batch_rows,
    create_optimizer,
    mean_loss,
    n_batches,
    train_steps,
)
from headstart.learn.objective import Objective, Scores
from headstart.learn.seeding import key_seed, permutation, torch_seed


@dataclass(frozen=True)
class Phase:
    """What one phase trains, and when.

    Attributes:
        groups: parameters with the highest rate of each group.
        set_mode: puts the model's modules into the modes they train in; called before each epoch.
        cycles: epochs of each cycle.
        factors: batches of an epoch -> the factor on the rates, one a step of the whole phase.
    """

    groups: Sequence[ParameterGroup]
    set_mode: Callable[[], object]
    cycles: Sequence[int] = ()
    factors: Callable[[int], Sequence[float]] = constant


@dataclass(frozen=True)
class Epoch:
    """One epoch of training: counts start at 0, `lr` is the highest rate of the last group in it."""

    epoch: int
    phase: int
    cycle: int
    lr: float
    train_loss: float
    scores: Scores | None
    ends_cycle: bool

    def values(self) -> dict[str, float]:
        """The epoch as a row of a table; no valid columns where there is no valid split."""
        row = {
            "epoch": self.epoch,
            "phase": self.phase,
            "cycle": self.cycle,
            "lr": self.lr,
            "train_loss": self.train_loss,
        }
        if self.scores:
            row |= {"valid_loss": self.scores.log_loss, "valid_score": self.scores.score}
        return row


@dataclass
class FitResult:
    """What training gave.

    Attributes:
        epochs: in order.
        kept_epoch: the number of epochs behind the weights that were kept; 0 is the starting point.
        stopped: whether a cycle that ended worse than the best one ended the training.
    """

    epochs: list[Epoch] = field(default_factory=list)
    kept_epoch: int = 0
    stopped: bool = False

    def table(self) -> pd.DataFrame:
        """A row an epoch, for `dvc plots`."""
        return pd.DataFrame([epoch.values() for epoch in self.epochs])

    def metrics(self, task: Task) -> dict[str, object]:
        """The last epoch's losses and scores, named as the task names them."""
        last = self.epochs[-1]
        metrics: dict[str, object] = {"n_epochs": len(self.epochs), "train_loss": last.train_loss}
        if last.scores:
            metrics["valid"] = last.scores.named(task)
        return metrics


@dataclass(frozen=True)
class StopRule:
    """When a cycle ends worse than the best so far.

    Attributes:
        monitor: what "worse" means: a higher log loss, or a lower score.
        stop: end the training there.
        keep: restore the weights of the best end of a cycle, the starting point included, or not.
    """

    monitor: Literal["log_loss", "score"]
    stop: bool
    keep: Literal["best", "last"]

    def badness(self, scores: Scores) -> float:
        """Lower is better."""
        return scores.log_loss if self.monitor == "log_loss" else -scores.score


RUN_TO_THE_END = StopRule(monitor="log_loss", stop=False, keep="last")


@dataclass(frozen=True)
class Trainer:
    """One model, one source of batches, and how to train the one on the other.

    Attributes:
        model: trained in place.
        source: the training pictures or their features.
        sampler: which of them an epoch shows, and how often.
        optimizer: kind, momentum, weight decay, batch size.
        objective: what is minimised.
        evaluate: scores on the valid split, or None where there is none.
        seed: of the order of the pictures and of dropout.
        report: listens to progress and metrics.
    """

    model: nn.Module
    source: Source
    sampler: Sampler
    optimizer: OptimizerParams
    objective: Objective
    evaluate: Callable[[], Scores] | None
    seed: int
    report: Report

    def fit(self, phases: Sequence[Phase], rule: StopRule = RUN_TO_THE_END) -> FitResult:
        """Train through all phases; each starts with a fresh optimiser, as in fastai 0.7.

        Without a valid split nothing can be judged: the training runs to its end.
        """
        result = FitResult()
        best = rule.badness(self.evaluate()) if self.evaluate else math.inf
        keep = self.evaluate is not None and rule.keep == "best"
        best_state = _copy_state(self.model) if keep else None
        for row in self._epochs(phases):
            result.epochs.append(row)
            if row.scores is None or not row.ends_cycle:
                continue
            badness = rule.badness(row.scores)
            if badness < best:
                best, result.kept_epoch = badness, len(result.epochs)
                best_state = _copy_state(self.model) if keep else None
            elif rule.stop:
                result.stopped = True
                break
        if best_state is not None:
            self.model.load_state_dict(best_state)
        else:
            result.kept_epoch = len(result.epochs)
        return result

    def _epochs(self, phases: Sequence[Phase]) -> Iterator[Epoch]:
        """Run one epoch after the other, as the caller asks for them."""
        n_steps = n_batches(self.sampler.n, self.optimizer.batch_size)
        epoch = cycle = 0
        for number, phase in enumerate(phases):
            optimizer = create_optimizer(phase.groups, self.optimizer)
            factors = phase.factors(n_steps)
            for cycle_epochs in phase.cycles:
                for i in range(cycle_epochs):
                    steps, factors = factors[:n_steps], factors[n_steps:]
                    phase.set_mode()
                    train_loss = self._train(epoch, optimizer, steps)
                    lr = phase.groups[-1].lr * max(steps)
                    scores = self.evaluate() if self.evaluate else None
                    row = Epoch(epoch, number, cycle, lr, train_loss, scores, i == cycle_epochs - 1)
                    self.report.log(row.values(), epoch)
                    yield row
                    epoch += 1
                cycle += 1

    def _train(
        self, epoch: int, optimizer: torch.optim.Optimizer, factors: Sequence[float]
    ) -> float:
        """One epoch; the mean loss over its pictures."""
        batches = self.batches(epoch)
        with torch_seed(self.seed, "dropout", epoch):
            steps = train_steps(self.model, batches, optimizer, factors, self.objective.loss)
            return mean_loss(self.report.progress(steps, len(factors), f"epoch {epoch + 1}"))

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch, in an order that (seed, epoch) alone decides."""
        generator = np.random.default_rng(key_seed(self.seed, "copies", epoch))
        drawn = self.sampler.epoch(generator)
        order = permutation(len(drawn.rows), self.seed, "order", epoch)
        parts = batch_rows(order, self.optimizer.batch_size)
        return self.source.epoch(epoch, [drawn.at(part) for part in parts])

    def range_test(self, phase: Phase, params: RangeTestParams) -> LrCurve:
        """Train at rising rates, one a step, until the loss diverges; the model stays as it was.

        Source: Smith, arXiv 1506.01186, section 3.3, with fastai 0.7's stop rule (`diverged`).

        Args:
            phase: what trains; its groups' rates are proportions, that of the last one must be 1.
            params: the rates to try; with no steps the curve is empty.
        """
        state = _copy_state(self.model)
        optimizer = create_optimizer(phase.groups, self.optimizer)
        endless = chain.from_iterable(self.batches(epoch) for epoch in count())
        curve = LrCurve([], [], [], params.smoothing)
        phase.set_mode()
        with torch_seed(self.seed, "dropout", 0):
            lrs = params.lrs()
            steps = train_steps(self.model, endless, optimizer, lrs, self.objective.loss)
            for i, (loss, _) in enumerate(self.report.progress(steps, len(lrs), "rates")):
                curve.lrs.append(lrs[i])
                curve.raw.append(loss)
                curve.smoothed[:] = smooth(curve.raw, params.smoothing)
                self.report.log({"lr": lrs[i], "loss": loss}, i)
                if diverged(curve.smoothed):
                    break
        self.model.load_state_dict(state)
        return curve


def _copy_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
