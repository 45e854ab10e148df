"""What calibration changed on each split, from the metrics of tta_evaluate, as text for a page."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from headstart.reporting.facts_change import Change, signed_change
from headstart.reporting.score_tables import columns_of, view_name


class CalibrationRow(NamedTuple):
    """One split and kind of prediction; the scores are (before, after).

    Attributes:
        of: the split and the view.
        temperature: that calibrates all predictions of this kind.
        log_loss: mean over the pictures.
        change: of the log loss, after less before; less is better.
        brier: mean over the pictures.
        ece: in percent.
    """

    of: str
    temperature: str
    log_loss: tuple[str, str]
    change: Change
    brier: tuple[str, str]
    ece: tuple[str, str]


def calibration_rows(scores: Mapping[str, Any]) -> list[CalibrationRow]:
    """A row for each split and kind of prediction that a temperature calibrates.

    Args:
        scores: metrics of tta_evaluate.
    """
    return [
        _row(f"{split}, {view_name(kind)}", scores[split][kind])
        for split, kind in columns_of(scores)
        if "temperature" in scores[split][kind]
    ]


def _row(of: str, values: Mapping[str, Any]) -> CalibrationRow:
    def both(key: str, form: str) -> tuple[str, str]:
        return f"{values[f'{key}_uncalibrated']:{form}}", f"{values[key]:{form}}"

    gained, low, high = (values[f"log_loss_gained{end}"] for end in ("", "_ci_low", "_ci_high"))
    return CalibrationRow(
        of,
        f"{values['temperature']:.3f}",
        both("log_loss", ".4f"),
        signed_change(-gained, -high, -low),
        both("brier", ".4f"),
        both("ece", ".1%"),
    )
