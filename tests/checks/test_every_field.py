"""Each number, word and list of params.yaml is held to what its description says."""

from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.checks.sections import model_of, read_sections
from headstart.project.params import PARAMS_FILE, ParamsError, parse_section, read_params
from tests.checks.fields import FieldOf, Leaf, every_field, forbidden

ROOT = Path(__file__).parents[2]
RIGHT = read_params(ROOT / "params.yaml")
FIELDS = every_field()

every_field_of_all = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.key)


def changed(field: FieldOf, value: object) -> dict[str, Any]:
    """The right file, but for one value."""
    values = deepcopy(RIGHT)
    place: Any = values[field.section]
    for part in field.path[:-1]:
        place = place[part]
    place[field.path[-1]] = value
    return values


def test_there_is_no_section_whose_fields_are_not_walked() -> None:
    assert {field.section for field in FIELDS} == set(RIGHT)
    keys = {field.key for field in FIELDS}
    assert {"train_head.lr", "unfreeze_finetune.phases.0.lr", "head.dropout"} <= keys
    assert len(keys) > 90


@every_field_of_all
@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_what_the_description_forbids_is_refused_in_one_sentence(
    field: FieldOf, data: st.DataObject
) -> None:
    value = data.draw(forbidden(field.leaves))
    values = changed(field, value)
    _, problems = read_sections(values, PARAMS_FILE)  # what headstart check and each stage do
    with pytest.raises(ParamsError) as caught:
        parse_section(field.section, model_of(field.section), values, PARAMS_FILE)
    assert str(caught.value).splitlines() == problems
    [line] = problems
    assert line.startswith(f"params.yaml: {field.key}")
    rest = line.removeprefix(f"params.yaml: {field.key}")
    assert " is " in rest or " stands for " in rest
    of_a_phase = "it must hold the keys trainable, size_px"
    assert any(text in rest for text in (field.description, of_a_phase, "name each size once"))


def numbers(leaves: tuple[Leaf, ...]) -> list[Leaf]:
    inner = chain.from_iterable(numbers(item) for leaf in leaves for item in leaf.items)
    return [leaf for leaf in leaves if leaf.kind in (int, float)] + list(inner)


NUMBERS = [(field, leaf) for field in FIELDS for leaf in numbers(field.leaves)]


def stated(leaf: Leaf) -> str:
    """The range of a number, as a description must say it."""
    low, over, high, below = (
        None if bound is None else f"{int(bound):,}" if bound == int(bound) < 1e5 else f"{bound:g}"
        for bound in (leaf.bound(kind) for kind in (Ge, Gt, Le, Lt))
    )
    if leaf.kind is int and high is not None:
        high = f"{leaf.bound(Le):,}"
    match low, over, high, below:
        case str(), None, None, None:
            return f"at least {low}"
        case None, str(), None, None:
            return f"above {over}"
        case str(), None, str(), None:
            return f"{low} to {high}"
        case str(), None, None, str():
            return f"in [{low}, {below})"
        case None, str(), None, str():
            return f"in ({over}, {below})"
        case None, str(), str(), None:
            return f"in ({over}, {high}]"
    raise AssertionError(f"no lower bound: {leaf.metadata}")


@pytest.mark.parametrize(("field", "leaf"), NUMBERS, ids=[field.key for field, _ in NUMBERS])
def test_each_number_has_a_range_that_its_description_states(field: FieldOf, leaf: Leaf) -> None:
    assert stated(leaf) in field.description


@every_field_of_all
def test_a_bound_that_belongs_to_the_range_is_allowed(field: FieldOf) -> None:
    for leaf in field.leaves:
        for bound in (leaf.bound(Ge), leaf.bound(Le)):
            if leaf.kind in (int, float) and bound is not None:
                values = changed(field, leaf.kind(bound))
                _, problems = read_sections(values, PARAMS_FILE)
                assert not any(field.description in line for line in problems)
