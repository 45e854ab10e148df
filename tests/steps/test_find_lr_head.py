import pytest
import torch

from headstart.activations.stored import SizedActivations
from headstart.backbone.device import PLAIN_CPU
from headstart.labels.labels import Labels
from headstart.network.head import HeadParams
from headstart.project.report import Report, Silent
from headstart.steps.find_lr_head import FindLrHeadParams, find_lr_head
from headstart.training.lr_curve import LrCurve
from headstart.training.optimizer import OptimizerParams
from headstart.training.resume import Resume
from headstart.training.sampling import SamplingParams
from tests.broken_off import broken_off
from tests.broken_off import empty_folder as empty_folder

HEAD = HeadParams(hidden_units=16, dropout=(0.25, 0.5))
SGD = OptimizerParams(name="sgd", momentum=0.9, weight_decay=0.0, clip_norm=0.0, batch_size=8)
AS_THEY_ARE = SamplingParams(balance="none", strength=1.0, max_factor=10.0)
PARAMS = FindLrHeadParams(n_iter=40, lr_start=1e-5, lr_end=10, smoothing=0.9, rule="valley", seed=0)


def test_the_curve_is_deterministic_and_draws_nothing(
    plain: SizedActivations, labels: Labels
) -> None:
    random = torch.get_rng_state()
    one = find_lr_head(plain.first(), labels, PARAMS, HEAD, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())
    torch.rand(5)
    two = find_lr_head(plain.first(), labels, PARAMS, HEAD, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())
    assert one == two
    assert 10 < len(one.lrs) <= 40
    torch.set_rng_state(random)
    other = PARAMS.model_copy(update={"seed": 1})
    assert (
        find_lr_head(plain.first(), labels, other, HEAD, SGD, AS_THEY_ARE, PLAIN_CPU, Silent())
        != one
    )


def test_the_table_has_a_row_a_step(plain: SizedActivations, labels: Labels) -> None:
    params = PARAMS.model_copy(update={"n_iter": 3})
    table = find_lr_head(
        plain.first(), labels, params, HEAD, SGD, AS_THEY_ARE, PLAIN_CPU, Silent()
    ).table()
    assert list(table.columns) == ["lr", "loss", "smoothed_loss"] and len(table) == 3


@pytest.mark.usefixtures("empty_folder")
def test_a_run_that_was_broken_off_ends_with_the_same_curve(
    plain: SizedActivations, labels: Labels
) -> None:
    def run(report: Report, resume: Resume) -> LrCurve:
        first = plain.first()
        return find_lr_head(
            first, labels, PARAMS, HEAD, SGD, AS_THEY_ARE, PLAIN_CPU, report, resume
        )

    gone_on, stage, _ = broken_off(run, [3, 2])
    assert gone_on == broken_off(run, [])[0]
    assert stage.said == ["at rate 6 of 40"]
