"""The table of what decisions cost."""

from jinja2 import Environment, PackageLoader

from headstart.reporting.cost_table import cost_rows
from tests.reporting.drawings import words

VALUES = {
    "cost": 0.31, "cost_ci_low": 0.2, "cost_ci_high": 0.42,
    "cost_decided": 0.25, "cost_decided_ci_low": 0.1, "cost_decided_ci_high": 0.4,
    "cost_saved": 0.06, "cost_saved_ci_low": -0.01, "cost_saved_ci_high": 0.13,
}  # fmt: skip
SCORES = {"valid": {"plain": VALUES, "tta": VALUES | {"cost_saved_ci_low": 0.01}}}


def test_a_row_says_both_costs_and_whether_the_change_is_noise() -> None:
    noise, better = cost_rows(SCORES)
    assert (noise.of, better.of) == ("valid, plain", "valid, TTA")
    assert noise.likeliest == ("0.3100", "0.2000 – 0.4200") and noise.decided.value == "0.2500"
    assert (noise.change.value, noise.change.interval) == ("−0.0600", "−0.1300 to +0.0100")
    assert noise.change.noise and not better.change.noise


def test_the_page_shows_it() -> None:
    pages = Environment(loader=PackageLoader("headstart.reporting"), autoescape=True)
    module = pages.get_template("facts.html").module
    said = words(str(module.cost_table(cost_rows(SCORES))))  # type: ignore[attr-defined]
    assert said.count("0.2500") == 2 and said.count("within noise") == 1


def test_without_costs_there_are_no_rows() -> None:
    assert cost_rows({"valid": {"plain": {"ece": 0.1}, "tta": {"ece": 0.1}}}) == []
