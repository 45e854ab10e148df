"""The few numbers of a row that a person reads first, and its curves over all epochs."""

from collections.abc import Iterable, Mapping, Sequence

from headstart.tracking.records import Point, RunRecord

SCORES = {"accuracy": "accuracy", "f2": "F2"}
"""Last part of a score's key -> what the score is called; a state has one of them."""
TRAININGS = ("train-head", "train-augmented", "unfreeze-finetune")
"""The stages that train, in the order of the recipe."""
CURVES = {
    "train_loss": "epochs/train loss",
    "valid_loss": "epochs/valid loss",
    "valid_score": "epochs/valid score",
    "lr": "epochs/lr",
}
"""Metric of an epoch in the record of a stage -> its name in the row."""
MINUTES = "minutes"


def headline(metrics: Mapping[str, float], records: Iterable[RunRecord]) -> dict[str, float]:
    """Return at most five numbers: score and TTA of valid and test (4 digits), and minutes (3 digits).

    Args:
        metrics: `<stage>.<dotted key>` -> number, all stages.
        records: of the stages; without any, there are no minutes.
    """
    found = {
        name: round(metrics[key], 4)
        for split in ("valid", "test")
        for score, called in SCORES.items()
        for key, name in (
            (f"tta_evaluate.{split}.plain.{score}", f"{split} {called}"),
            (f"tta_evaluate.{split}.tta.{score}", f"{split} TTA"),
        )
        if key in metrics
    }
    ms = work_ms(records)
    return found | ({MINUTES: float(f"{ms / 60_000:.3g}")} if ms else {})


def work_ms(records: Iterable[RunRecord]) -> int:
    """Return how long the stages worked in all, in milliseconds.

    This is what the state costs from nothing: a stage that DVC skipped or restored counts with the
    time of the run that made its result, and the time between two stages does not count.
    """
    return sum(record.ended_ms - record.started_ms for record in records)


def curves(records: Iterable[RunRecord]) -> list[Point]:
    """Return the points of all epochs on one axis, on which each stage goes on where the last ended."""
    of_stage, points, n_epochs = {record.stage: record for record in records}, list[Point](), 0
    for stage in TRAININGS:
        epochs = _epochs(of_stage[stage].points) if stage in of_stage else []
        points += [p._replace(key=CURVES[p.key], step=n_epochs + p.step) for p in epochs]
        n_epochs += max((p.step + 1 for p in epochs), default=0)
    return points


def _epochs(points: Sequence[Point]) -> list[Point]:
    """Return the first point of each curve at each step.

    Records of before end in the stage's final metrics, at step 0 and under the same names.
    """
    found: dict[tuple[str, int], Point] = {}
    for point in points:
        if point.key in CURVES:
            found.setdefault((point.key, point.step), point)
    return list(found.values())
