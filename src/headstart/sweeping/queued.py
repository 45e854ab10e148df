"""Settings of whole experiments, which are drawn before any of them has run."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from headstart.project.errors import HeadstartError
from headstart.sweeping.settings import Settings, Value, value_at
from headstart.sweeping.space import Choices, Dimension, Range

AUTO = 1e-3
"""The middle of the rates that are tried where the range test finds the present one."""
FACTOR = 4.0
"""Rates are tried from the present one divided by this to the present one multiplied by it."""
N_REDRAWN = 100
"""How often a draw that was drawn before is drawn again, before the space counts as exhausted."""


def network_space(values: Mapping[str, Any]) -> list[Dimension]:
    """Rates and epochs of fine-tuning, and augmentation; each also holds the present value.

    Args:
        values: the sections of params.yaml, all right.
    """
    space: list[Dimension] = []
    for n, phase in enumerate(values["unfreeze_finetune"]["phases"]):
        key = f"unfreeze_finetune.phases.{n}"
        lr = AUTO if phase["lr"] == "auto" else float(phase["lr"])
        space += [
            Range(f"{key}.lr", _rounded(lr / FACTOR), _rounded(lr * FACTOR)),
            Range(f"{key}.cycles", 1, max(3, phase["cycles"])),
        ]
    of_augment: dict[str, tuple[float, ...]] = {
        "max_zoom": (1.0, 1.1, 1.2),
        "brightness": (0.0, 0.05, 0.1, 0.2),
        "contrast": (0.0, 0.05, 0.1, 0.2),
    }
    for name, tried in of_augment.items():
        present = float(values["augment"][name])
        space.append(Choices(f"augment.{name}", tuple(sorted({*tried, present}))))
    return space


def drawn(
    space: Sequence[Dimension], n: int, seed: int, values: Mapping[str, Any]
) -> list[Settings]:
    """At most `n` settings that differ from each other and from `values`.

    Choices alone make a grid, whose points come in random order. Otherwise optuna draws at random:
    without results, TPE knows nothing either.

    Args:
        space: what is tried.
        n: how many are wanted.
        seed: of the order or of the draws.
        values: the sections of params.yaml.
    """
    present = {dimension.key: value_at(values, dimension.key) for dimension in space}
    found: list[Settings] = []
    for settings in _grid(space, seed) if _is_grid(space) else _random(space, seed):
        if len(found) == n:
            break
        if settings != present:
            found.append(settings)
    return found


def _is_grid(space: Sequence[Dimension]) -> bool:
    return all(isinstance(dimension, Choices) for dimension in space)


def _grid(space: Sequence[Dimension], seed: int) -> Iterable[dict[str, Value]]:
    points = list(product(*(dimension.ends() for dimension in space)))
    for place in np.random.default_rng(seed).permutation(len(points)):
        yield dict(zip((d.key for d in space), points[place], strict=True))


def _random(space: Sequence[Dimension], seed: int) -> Iterable[dict[str, Value]]:
    """Draws that differ, until many in a row are known."""
    import optuna

    from headstart.sweeping.study import distribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    known: list[dict[str, Value]] = []
    n_known = 0
    while n_known < N_REDRAWN:
        trial = study.ask({d.key: distribution(d) for d in space})
        settings = {d.key: d.tried(trial.params[d.key]) for d in space}
        n_known = n_known + 1 if settings in known else 0
        if not n_known:
            known.append(settings)
            yield settings


def require_all_drawn(found: Sequence[Settings], n: int) -> None:
    """Refuse a space that holds fewer than `n` settings.

    Raises:
        HeadstartError: says how many it holds.
    """
    if len(found) < n:
        raise HeadstartError(
            f"N is {n}, but the values that are searched hold only {len(found)} beside params.yaml: "
            "give a smaller N or a wider --search."
        )


def _rounded(lr: float) -> float:
    return float(f"{lr:.3g}")
