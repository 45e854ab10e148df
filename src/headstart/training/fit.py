"""Phases, cycles and epochs around the training loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
from torch import Tensor, nn

from headstart.backbone.seeding import key_seed, permutation, torch_seed
from headstart.network.objective import Objective, Scores
from headstart.project.report import Report
from headstart.training.best_weights import BestWeights, copy_state
from headstart.training.divergence import Cause, Watch, require_finite
from headstart.training.loop import (
    Source,
    batch_loss,
    batch_rows,
    mean_loss,
    n_batches,
    train_steps,
)
from headstart.training.lr_curve import LrCurve, RangeTestParams, diverged, smooth
from headstart.training.optimizer import Optimizer, OptimizerParams, ParameterGroup
from headstart.training.outcome import Epoch, FitResult
from headstart.training.sampling import Sampler
from headstart.training.schedules import Step, constant
from headstart.training.stop_rule import StopRule


@dataclass(frozen=True)
class Material:
    """The data of a training and its evaluation: pictures of one size, or their cached features.

    Attributes:
        source: of the training pictures.
        evaluate: gives the model's current scores on the valid split; None without a valid split.
    """

    source: Source
    evaluate: Callable[[], Scores] | None


@dataclass(frozen=True)
class Phase:
    """What one phase trains, on which data, and by which schedule.

    Attributes:
        groups: parameters with the highest rate of each group.
        set_mode: puts the model's modules into the modes they train in; called before each epoch.
        material: what it is trained on; phases of one size share one.
        cycles: epochs of each cycle.
        schedule: number of batches of an epoch -> the steps of the whole phase.
        lr_key: dotted key of the last group's rate, for the error of a training that diverged.
        remedy: what to set instead, as a sentence for that error.
        head_alone: whether only the head trains, so that its cycles say nothing about more.
    """

    groups: Sequence[ParameterGroup]
    set_mode: Callable[[], object]
    material: Material
    cycles: Sequence[int] = ()
    schedule: Callable[[int], Sequence[Step]] = constant
    lr_key: str = "lr"
    remedy: str = "Set a lower one."
    head_alone: bool = False

    @property
    def cause(self) -> Cause:
        """The rate that the error names if the training diverges in this phase."""
        return Cause(self.lr_key, self.groups[-1].lr, self.remedy)


@dataclass(frozen=True)
class Trainer:
    """One model, and how to train it.

    Attributes:
        model: trained in place.
        sampler: which of the training pictures an epoch shows, and how often.
        optimizer: kind, momentum, gradient clipping, batch size.
        objective: what is minimised.
        seed: of the order of the pictures and of dropout.
        report: receives progress and metrics.
    """

    model: nn.Module
    sampler: Sampler
    optimizer: OptimizerParams
    objective: Objective
    seed: int
    report: Report

    def fit(
        self,
        phases: Sequence[Phase],
        rule: StopRule | None = None,
        start: Material | None = None,
        n_snapshots: int = 0,
    ) -> FitResult:
        """Train through all phases; each starts with a fresh optimiser, as in fastai 0.7.

        Without a valid split nothing can be judged: the training runs to its end.

        Args:
            phases: in order.
            rule: what to do when a cycle ends worse than the best so far (`BestWeights`); None:
                nothing is judged.
            start: judges the starting point, if the first phase's material does not.
            n_snapshots: snapshots to return, taken at the last n cycle ends of the last phase; a cycle
                that stopped the phase is excluded. After a first cycle that ended the training, the
                weights that were kept are the only one.

        Raises:
            DivergedError: a loss, a weight or the log loss of valid is not finite. Such a number is
                never compared, kept or returned.
        """
        result, judged = FitResult(), start or phases[0].material
        best = BestWeights(self.model, rule) if rule else None
        result.start = self._begin(best, judged)
        moved_by: Cause | None = None
        for number, phase in enumerate(phases):
            if phase.material is not judged:
                judged = phase.material
                self._begin(best, judged, len(result.epochs), number, moved_by)
            for row in self._epochs(number, phase, result.epochs, moved_by):
                result.epochs.append(row)
                if not row.ends_cycle:
                    continue
                if best and best.ends_phase(row, phase.head_alone):
                    result.worse_first_cycle = best.worse_first_cycle
                    result.stopped = result.worse_first_cycle is None
                    break
                if n_snapshots and phase is phases[-1]:
                    result.snapshots = [*result.snapshots, copy_state(self.model)][-n_snapshots:]
            if result.worse_first_cycle:
                break
            moved_by = phase.cause
        result.kept_epoch, result.kept_phase = len(result.epochs), len(phases) - 1
        result.kept = result.epochs[-1].scores if result.epochs else None
        if best and best.mark and (best.rule.keep == "best" or result.worse_first_cycle):
            self.model.load_state_dict(best.mark.state)
            if result.worse_first_cycle and n_snapshots:
                result.snapshots = [best.mark.state]
            result.kept_epoch, result.kept_phase = best.mark.epoch, best.mark.phase
            result.kept = best.mark.scores
        return result

    def _begin(
        self,
        best: BestWeights | None,
        judge: Material,
        epoch: int = 0,
        phase: int | None = None,
        moved_by: Cause | None = None,
    ) -> Scores | None:
        """Judge the model before it trains at a size; None where nothing judges it."""
        if best is None or judge.evaluate is None:
            return None
        scores = judge.evaluate()
        require_finite(scores, f"before epoch {epoch + 1}", moved_by)
        best.begin(scores, epoch, phase)
        return scores

    def _epochs(
        self, number: int, phase: Phase, done: Sequence[Epoch], moved_by: Cause | None
    ) -> Iterator[Epoch]:
        """Run one epoch of a phase after the other, as the caller asks for them."""
        n_steps = n_batches(self.sampler.n, self.optimizer.batch_size)
        epoch, cycle = len(done), done[-1].cycle + 1 if done else 0
        optimizer = Optimizer(phase.groups, self.optimizer)
        schedule = phase.schedule(n_steps)
        for cycle_epochs in phase.cycles:
            for i in range(cycle_epochs):
                steps, schedule = schedule[:n_steps], schedule[n_steps:]
                phase.set_mode()
                watch = Watch(epoch, n_steps, phase.cause, moved_by)
                train_loss = self._train(watch, phase.material.source, optimizer, steps)
                moved_by = phase.cause
                lr = phase.groups[-1].lr * max(step.lr for step in steps)
                evaluate = phase.material.evaluate
                scores = evaluate() if evaluate else None
                if scores:
                    watch.scored(scores)
                row = Epoch(epoch, number, cycle, lr, train_loss, scores, i == cycle_epochs - 1)
                self.report.log(row.values(), epoch)
                yield row
                epoch += 1
            cycle += 1

    def _train(
        self, watch: Watch, source: Source, optimizer: Optimizer, schedule: Sequence[Step]
    ) -> float:
        """Train for one epoch; return the mean loss over its pictures."""
        batches, label = self.batches(source, watch.epoch), f"epoch {watch.epoch + 1}"
        with torch_seed(self.seed, "dropout", watch.epoch):
            steps = watch.losses(self._steps(batches, optimizer, schedule))
            loss = mean_loss(self.report.progress(steps, len(schedule), label, batch_loss))
        watch.end(self.model)
        return loss

    def _steps(
        self,
        batches: Iterator[tuple[Tensor, Tensor]],
        optimizer: Optimizer,
        schedule: Sequence[Step],
    ) -> Iterator[tuple[Tensor, int]]:
        return train_steps(self.model, batches, optimizer, schedule, self.objective.loss)

    def batches(self, source: Source, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch, in an order that (seed, epoch) alone decides."""
        generator = np.random.default_rng(key_seed(self.seed, "copies", epoch))
        drawn = self.sampler.epoch(generator)
        order = permutation(len(drawn.rows), self.seed, "order", epoch)
        parts = batch_rows(order, self.optimizer.batch_size)
        return source.epoch(epoch, [drawn.at(part) for part in parts])

    def range_test(self, phase: Phase, params: RangeTestParams) -> LrCurve:
        """Train at rising rates, one a step, until the loss diverges; the model stays as it was.

        Source: Smith, arXiv 1506.01186, section 3.3, with fastai 0.7's stop rule (`diverged`).

        Args:
            phase: what trains; its groups' rates are relative to the last group's, which must be 1.
            params: the rates to try; with no steps the curve is empty.
        """
        state = copy_state(self.model)
        optimizer = Optimizer(phase.groups, self.optimizer)
        source = phase.material.source
        endless = chain.from_iterable(self.batches(source, epoch) for epoch in count())
        curve = LrCurve([], [], [], params.smoothing)
        phase.set_mode()
        with torch_seed(self.seed, "dropout", 0):
            lrs = params.lrs()
            steps = self._steps(endless, optimizer, [Step(lr) for lr in lrs])
            for i, (loss, _) in enumerate(
                self.report.progress(steps, len(lrs), "rates", batch_loss)
            ):
                curve.lrs.append(lrs[i])
                curve.raw.append(loss.item())
                curve.smoothed[:] = smooth(curve.raw, params.smoothing)
                self.report.log({"lr": lrs[i], "loss": curve.raw[i]}, i)
                if diverged(curve.smoothed):
                    break
        self.model.load_state_dict(state)
        return curve
