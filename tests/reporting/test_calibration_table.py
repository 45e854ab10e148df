"""The table of what calibration changed."""

from jinja2 import Environment, PackageLoader

from headstart.reporting.calibration_table import calibration_rows
from tests.reporting.drawings import words

VALUES = {
    "temperature": 0.70783, "log_loss": 0.10054, "log_loss_uncalibrated": 0.11446,
    "log_loss_gained": 0.01392, "log_loss_gained_ci_low": -0.003, "log_loss_gained_ci_high": 0.0239,
    "brier": 0.0557, "brier_uncalibrated": 0.059, "ece": 0.02541, "ece_uncalibrated": 0.0423,
}  # fmt: skip
GAINED = VALUES | {"log_loss_gained_ci_low": 0.003}


def test_a_row_says_before_and_after_and_whether_it_is_noise() -> None:
    scores = {"test": {"plain": VALUES, "tta": GAINED}, "checkpoints": {}}
    noise, better = calibration_rows(scores)
    assert (noise.of, better.of) == ("test, plain", "test, TTA")
    assert noise.temperature == "0.708" and noise.log_loss == ("0.1145", "0.1005")
    assert (noise.change.value, noise.change.interval) == ("−0.0139", "−0.0239 to +0.0030")
    assert noise.change.noise and not better.change.noise
    assert noise.brier == ("0.0590", "0.0557") and noise.ece == ("4.2%", "2.5%")


def test_the_page_shows_it() -> None:
    pages = Environment(loader=PackageLoader("headstart.reporting"), autoescape=True)
    table = pages.get_template("facts.html").module.calibration_table(  # type: ignore[attr-defined]
        calibration_rows({"test": {"plain": VALUES, "tta": GAINED}})
    )
    said = words(str(table))
    assert said.count("before 0.1145") == 2 and said.count("within noise") == 1


def test_without_temperatures_there_are_no_rows() -> None:
    assert calibration_rows({"valid": {"plain": {"ece": 0.1}, "tta": {"ece": 0.1}}}) == []
