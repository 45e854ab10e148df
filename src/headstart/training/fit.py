"""Phases, cycles and epochs around the training loop."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbone.seeding import draw_on, key_seed, permutation, torch_seed
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
from headstart.training.material import Material, Phase
from headstart.training.optimizer import Optimizer, OptimizerParams
from headstart.training.outcome import Epoch, FitResult, Point
from headstart.training.parts import WHOLE, Part, Split
from headstart.training.progress import Progress
from headstart.training.resume import FROM_THE_START, FitState, Resume
from headstart.training.sampling import Sampler
from headstart.training.schedules import Step
from headstart.training.stop_rule import StopRule


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
        resume: keeps states, and gives the last one of a broken-off run. A training that goes on
            ends with the same bits as an undisturbed one.
        split: how each batch is cut into parts, and shared by processes.
    """

    model: nn.Module
    sampler: Sampler
    optimizer: OptimizerParams
    objective: Objective
    seed: int
    report: Report
    resume: Resume = FROM_THE_START
    split: Split = WHOLE

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
                that stopped the phase is excluded. Where none is left, or a first cycle ended the
                training, the weights that were kept are the only one.

        Raises:
            DivergedError: a loss, a weight or the log loss of valid is not finite. Such a number is
                never compared, kept or returned.
        """
        at = Progress(BestWeights(self.model, rule) if rule else None)
        if kept := self.resume.last(FitState):
            self._go_on(at, kept, phases)
        else:
            at.result.start = self._begin(at, start or phases[0].material)
        while at.phase < len(phases) and not at.result.worse_first_cycle:
            phase, before = phases[at.phase], phases[at.phase - 1] if at.phase else None
            moved_by = before.cause if before else None
            if at.optimizer is None:
                judged = before.material if before else start or phase.material
                if phase.material is not judged:
                    self._begin(at, phase.material, at.phase, moved_by)
                at.optimizer = Optimizer(phase.groups, self.optimizer)
            self._phase(
                at, phase, at.optimizer, moved_by, n_snapshots if phase is phases[-1] else 0
            )
            at.next_phase()
            self._offer(at)
        return self._kept(at, len(phases) - 1, n_snapshots)

    def _go_on(self, at: Progress, kept: FitState, phases: Sequence[Phase]) -> None:
        """Take over the state of a broken-off training, and report its epochs again."""
        at.restore(kept)
        if kept.moving.optimizer is not None:
            at.optimizer = Optimizer(phases[at.phase].groups, self.optimizer)
        kept.moving.restore(self.model, at.optimizer)
        n_epochs = sum(sum(phase.cycles) for phase in phases)
        self.resume.goes_on(at.where(n_epochs, self.n_steps()))
        for row in at.result.epochs:
            self.report.log(row.values(), row.epoch)

    def _begin(
        self,
        at: Progress,
        judge: Material,
        phase: int | None = None,
        moved_by: Cause | None = None,
    ) -> Scores | None:
        """Judge the model before it trains at a size; None where nothing judges it."""
        if at.best is None or judge.evaluate is None:
            return None
        scores, n_epochs = judge.evaluate(), len(at.result.epochs)
        require_finite(scores, f"before epoch {n_epochs + 1}", moved_by)
        at.judge(Point(scores, n_epochs, phase))
        return scores

    def _phase(
        self,
        at: Progress,
        phase: Phase,
        optimizer: Optimizer,
        moved_by: Cause | None,
        n_snapshots: int,
    ) -> None:
        """Train a phase from the epoch that it has come to, to its end."""
        n_steps, ends = self.n_steps(), list(accumulate(phase.cycles))
        schedule, result = phase.schedule(n_steps), at.result
        while at.epoch < sum(phase.cycles):
            steps = schedule[at.epoch * n_steps :][:n_steps]
            cause = phase.cause if at.epoch else moved_by
            row = self._epoch(at, phase, optimizer, steps, cause, at.epoch + 1 in ends)
            result.epochs.append(row.in_total())
            at.epoch, at.steps = at.epoch + 1, []
            if row.ends_cycle:
                if at.best and at.judge(row.end(phase.head_alone)):
                    result.worse_first_cycle = at.best.standing.worse_first_cycle
                    result.stopped = result.worse_first_cycle is None
                    break
                if n_snapshots:
                    result.snapshots = [*result.snapshots, copy_state(self.model)][-n_snapshots:]
            self._offer(at)

    def _epoch(
        self,
        at: Progress,
        phase: Phase,
        optimizer: Optimizer,
        steps: Sequence[Step],
        moved_by: Cause | None,
        ends_cycle: bool,
    ) -> Epoch:
        """Train an epoch from the step that it has come to, and judge the model."""
        done = at.result.epochs
        cycle = done[-1].cycle + done[-1].ends_cycle if done else 0
        phase.set_mode()
        watch = Watch(len(done), len(steps), phase.cause, moved_by, len(at.steps))
        train_loss = self._train(at, watch, phase.material.source, optimizer, steps)
        lr = phase.groups[-1].lr * max(step.lr for step in steps)
        scores = phase.material.evaluate() if phase.material.evaluate else None
        if scores:
            watch.scored(scores)
        row = Epoch(watch.epoch, at.phase, cycle, lr, train_loss, scores, ends_cycle)
        self.report.log(row.values(), row.epoch)
        return row

    def _train(
        self,
        at: Progress,
        watch: Watch,
        source: Source,
        optimizer: Optimizer,
        schedule: Sequence[Step],
    ) -> float:
        """Train for the rest of an epoch; return the mean loss over all its pictures."""
        n_done, label = len(at.steps), f"epoch {watch.epoch + 1}"
        batches = self.batches(source, watch.epoch, n_done)
        with torch_seed(self.seed, "dropout", watch.epoch):
            if at.draws is not None:
                draw_on(at.draws, self.device)
                at.draws = None
            steps = watch.losses(self.steps(batches, optimizer, schedule[n_done:]))
            for step in self.report.progress(steps, len(schedule) - n_done, label, batch_loss):
                at.steps.append(step)
                self._offer(at)
            loss = mean_loss(at.steps)
        watch.end(self.model)
        return loss

    def steps(
        self,
        batches: Iterator[Iterable[Part]],
        optimizer: Optimizer,
        schedule: Sequence[Step],
    ) -> Iterator[tuple[Tensor, int]]:
        """Train a step a batch, as `train_steps`."""
        gradients = partial(self.split.gradients, self.model, self.objective)
        return train_steps(gradients, batches, optimizer, schedule)

    def _offer(self, at: Progress) -> None:
        self.resume.offer(lambda: at.state(self.model))

    def _kept(self, at: Progress, last_phase: int, n_snapshots: int) -> FitResult:
        """The result, once the model has the weights that are kept."""
        result, mark = at.result, at.best.kept if at.best else None
        result.kept_epoch, result.kept_phase = len(result.epochs), last_phase
        result.kept = result.points[-1].scores if result.points else None
        if mark:
            self.model.load_state_dict(mark.state)
            if n_snapshots and (result.worse_first_cycle or not result.snapshots):
                result.snapshots, result.snapshot_is_kept = [mark.state], True
            result.kept_epoch, result.kept_phase = mark.point.epoch, mark.point.phase
            result.kept = mark.point.scores
        return result

    def n_steps(self) -> int:
        """Steps of an epoch."""
        return n_batches(self.sampler.n, self.optimizer.batch_size)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def batches(self, source: Source, epoch: int, first: int = 0) -> Iterator[Iterator[Part]]:
        """The batches of an epoch from number `first` on; (seed, epoch) alone decides their order.

        Each is an iterator over its parts, to be drained before the next batch is asked for.
        """
        generator = np.random.default_rng(key_seed(self.seed, "copies", epoch))
        drawn = self.sampler.epoch(generator)
        order = permutation(len(drawn.rows), self.seed, "order", epoch)
        wholes = batch_rows(order, self.optimizer.batch_size)[first:]
        places = [self.split.places(len(whole)) for whole in wholes]
        mine = [
            drawn.at(whole[place.first :][: place.n])
            for whole, parts in zip(wholes, places, strict=True)
            for place in parts
        ]
        tensors = source.epoch(epoch, mine)
        for parts in places:
            yield (Part(*next(tensors), place) for place in parts)
