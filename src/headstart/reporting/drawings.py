"""All drawings of the report's page, from the tables of the trainings and the predictions."""

from dataclasses import dataclass

from headstart.evaluation.predictions import Kind, Predictions
from headstart.labels.task import SCORE
from headstart.reporting.charts_course import CourseChart, course_chart
from headstart.reporting.charts_range_test import RangeTestChart, range_test_chart
from headstart.reporting.charts_reliability import ECE_MEANS, ReliabilityChart, reliability_charts
from headstart.reporting.charts_thresholds import ThresholdsChart, thresholds_chart
from headstart.reporting.course import TITLES, Course


@dataclass(frozen=True)
class Drawings:
    """What templates/charts.html draws."""

    range_tests: list[RangeTestChart]
    course: CourseChart | None
    """None without an epoch."""
    reliability: list[ReliabilityChart]
    """Of valid and of test, where they have labelled pictures; before and after calibration."""
    thresholds: ThresholdsChart | None
    """None for single_label, and where no picture of the split has a label."""
    ece_means: str = ECE_MEANS
    """What the diagrams call ECE."""


def drawings(course: Course, predictions: Predictions, split: str, kind: Kind) -> Drawings:
    """Draw the trainings, and the predictions of one kind.

    Args:
        course: of the trainings
        predictions: of the final checkpoint
        split: of the threshold curves, valid or test
        kind: plain or tta
    """
    many = predictions.task == "multi_label"
    return Drawings(
        [
            range_test_chart(curve, **course.suggestions[stage], title=TITLES[stage])
            for stage, curve in course.curves.items()
        ],
        course_chart(course, SCORE[predictions.task]),
        reliability_charts(predictions, kind),
        thresholds_chart(predictions, split, kind) if many else None,
    )
