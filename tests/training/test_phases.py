import pytest
from pydantic import ValidationError

from headstart.training.phases import PhaseParams

CYCLES = {"trainable": "all", "size_px": "full", "lr": 0.1, "cycles": 1, "cycle_len": 2}
SGDR = CYCLES | {"cycle_mult": 1, "schedule": "sgdr", "warmup_frac": 0.0}
CLR = CYCLES | {
    "cycle_mult": 1, "schedule": "clr", "lr_div": 10.0, "rise_frac": 0.25, "momentum_low": 0.8,
}  # fmt: skip
ONE_CYCLE = CYCLES | {
    "cycle_mult": 1, "schedule": "one_cycle", "lr_div": 10.0, "tail_frac": 0.2, "momentum_low": 0.8,
}  # fmt: skip


def phase(values: dict[str, object]) -> PhaseParams:
    return PhaseParams.model_validate(values)


def test_each_schedule_gives_its_steps() -> None:
    sgdr, clr, one_cycle = (phase(p).steps(10, momentum=0.9) for p in (SGDR, CLR, ONE_CYCLE))
    assert len(sgdr) == len(clr) == len(one_cycle) == 20
    assert sgdr[0] == (1.0, None)
    assert clr[0] == pytest.approx((0.1, 0.9)) and clr[5] == pytest.approx((1.0, 0.8))
    assert one_cycle[0] == pytest.approx((0.1, 0.9)) and one_cycle[8] == pytest.approx((1.0, 0.8))
    assert one_cycle[-1] == pytest.approx((0.001, 0.9))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (SGDR | {"schedule": "clr"}, "is clr, which needs lr_div, momentum_low, rise_frac"),
        (CLR | {"tail_frac": 0.1}, "is clr, which does not use tail_frac; remove it"),
        (SGDR | {"lr_div": 2.0}, "is sgdr, which does not use lr_div; remove it"),
        (ONE_CYCLE | {"tail_frac": None}, "is one_cycle, which needs tail_frac"),
    ],
)
def test_a_schedule_has_its_own_keys(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        phase(values)


def test_momentum_falls_it_does_not_rise() -> None:
    with pytest.raises(ValueError, match=r"momentum_low is 0.8, above the optimiser's momentum"):
        phase(CLR).steps(10, momentum=0.5)


def test_sizes() -> None:
    assert phase(SGDR | {"size_px": 64}).size_px == 64
    with pytest.raises(ValidationError, match="greater than or equal to 32"):
        phase(SGDR | {"size_px": 16})
