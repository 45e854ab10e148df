"""Whole experiments: a grid of choices, or draws; none twice, and none is params.yaml as it is."""

from importlib.util import find_spec

import pytest

from headstart.project.errors import HeadstartError
from headstart.sweeping.queued import drawn, network_space, require_all_drawn
from headstart.sweeping.settings import value_at
from headstart.sweeping.space import Choices, Dimension, Range
from tests.sweeping.generated import values

CYCLES, ZOOM = "unfreeze_finetune.phases.0.cycles", "augment.max_zoom"
GRID: list[Dimension] = [Choices(CYCLES, (1, 2, 3)), Choices(ZOOM, (1.0, 1.2))]  # now 2 and 1.0


def test_the_default_holds_the_present_values() -> None:
    space = network_space(values())
    assert all(d.holds(value_at(values(), d.key)) for d in space)
    auto = values()
    auto["unfreeze_finetune"]["phases"][0]["lr"] = "auto"
    assert network_space(auto)[0] == Range("unfreeze_finetune.phases.0.lr", 0.00025, 0.004)


def test_choices_make_a_grid_without_the_present_point() -> None:
    points = [tuple(settings.values()) for settings in drawn(GRID, 9, 0, values())]
    assert sorted(points) == [(1, 1.0), (1, 1.2), (2, 1.2), (3, 1.0), (3, 1.2)]
    assert drawn(GRID, 3, 0, values()) == drawn(GRID, 9, 0, values())[:3]
    assert any(drawn(GRID, 9, seed, values()) != drawn(GRID, 9, 0, values()) for seed in (1, 2))


@pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")
def test_ranges_are_drawn_from_the_seed_and_none_twice() -> None:
    space = network_space(values())
    found = drawn(space, 12, 0, values())
    assert len(found) == 12 and all(found.count(settings) == 1 for settings in found)
    assert all(d.holds(settings[d.key]) for settings in found for d in space)
    assert drawn(space, 12, 0, values()) == found != drawn(space, 12, 1, values())
    few: list[Dimension] = [Range(CYCLES, 1, 3)]
    assert sorted(settings[CYCLES] for settings in drawn(few, 9, 0, values())) == [1, 3]


def test_too_few_settings_are_told() -> None:
    with pytest.raises(HeadstartError, match=r"N is 9, but .* hold only 5 beside"):
        require_all_drawn(drawn(GRID, 9, 0, values()), 9)
