"""The learning-rate range test, with the trainer's loop."""

from collections.abc import Iterator
from itertools import chain, count

from headstart.backbone.seeding import draw_on, torch_seed
from headstart.training.best_weights import copy_state
from headstart.training.fit import Trainer
from headstart.training.loop import Source, batch_loss
from headstart.training.lr_curve import LrCurve, RangeTestParams, diverged, smooth
from headstart.training.material import Phase
from headstart.training.optimizer import Optimizer
from headstart.training.parts import Part
from headstart.training.resume import Moving, RangeState
from headstart.training.schedules import Step


def range_test(trainer: Trainer, phase: Phase, params: RangeTestParams) -> LrCurve:
    """Train at rising rates, one a step, until the loss diverges; the model stays as it was.

    Source: Smith, arXiv 1506.01186, section 3.3, with fastai 0.7's stop rule (`diverged`).

    Args:
        trainer: of the model.
        phase: what trains; its groups' rates are relative to the last group's, which must be 1.
        params: the rates to try; with no steps the curve is empty.
    """
    before = copy_state(trainer.model)
    optimizer = Optimizer(phase.groups, trainer.optimizer)
    curve, lrs = LrCurve([], [], [], params.smoothing), params.lrs()
    phase.set_mode()
    with torch_seed(trainer.seed, "dropout", 0):
        if kept := trainer.resume.last(RangeState):
            curve = kept.curve
            _go_on(trainer, kept, optimizer, len(lrs))
        n_done = len(curve.lrs)
        batches = _endless(trainer, phase.material.source, n_done)
        steps = trainer.steps(batches, optimizer, [Step(lr) for lr in lrs[n_done:]])
        for loss, _ in trainer.report.progress(steps, len(lrs) - n_done, "rates", batch_loss):
            i = len(curve.lrs)
            curve.lrs.append(lrs[i])
            curve.raw.append(loss.item())
            curve.smoothed[:] = smooth(curve.raw, params.smoothing)
            trainer.report.log({"lr": lrs[i], "loss": curve.raw[i]}, i)
            if diverged(curve.smoothed):
                break
            trainer.resume.offer(lambda: RangeState(Moving.of(trainer.model, optimizer), curve))
    trainer.model.load_state_dict(before)
    return curve


def _go_on(trainer: Trainer, kept: RangeState, optimizer: Optimizer, n_lrs: int) -> None:
    """Take over the state of a broken-off range test, and report its losses again."""
    kept.moving.restore(trainer.model, optimizer)
    draw_on(kept.moving.draws, trainer.device)
    trainer.resume.goes_on(f"at rate {len(kept.curve.lrs) + 1:,} of {n_lrs:,}")
    for i, (lr, loss) in enumerate(zip(kept.curve.lrs, kept.curve.raw, strict=True)):
        trainer.report.log({"lr": lr, "loss": loss}, i)


def _endless(trainer: Trainer, source: Source, n_done: int) -> Iterator[Iterator[Part]]:
    """The batches of one epoch after the other, without the first `n_done` of them."""
    epoch, first = divmod(n_done, trainer.n_steps())
    yield from trainer.batches(source, epoch, first)
    yield from chain.from_iterable(trainer.batches(source, e) for e in count(epoch + 1))
