"""Which recipe the params come from, and where they differ from it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

Values = Mapping[str, Any]

NOT_SET = "not set"
_NAMED = re.compile(r"\brecipes/([\w.-]+\.yaml)\b")


@dataclass(frozen=True)
class Differing:
    """One key whose value differs; NOT_SET where one side lacks it."""

    key: str
    here: str
    recipe: str


@dataclass(frozen=True)
class RecipeFacts:
    """Where params.yaml differs from a recipe.

    Attributes:
        recipe: name of its file in recipes/; "" if there is none.
        named: whether the comment on top of params.yaml names it; otherwise it is the nearest one.
        rows: keys that differ, in the order of params.yaml.
    """

    recipe: str
    named: bool
    rows: tuple[Differing, ...]


def recipe_facts(params: Values, header: str, recipes: Mapping[str, Values]) -> RecipeFacts:
    """Compare the params with the recipe that the header names, else with the nearest recipe.

    The nearest one has the fewest keys that differ; of equals, the first by name.

    Args:
        params: all sections of params.yaml.
        header: the text of params.yaml, of which only the comment on top is read. A copied recipe and
            what `headstart init` writes both name their recipe there.
        recipes: name of each file in recipes/ -> its sections.
    """
    if not recipes:
        return RecipeFacts("", False, ())
    rows = {name: tuple(_differing(params, recipes[name])) for name in sorted(recipes)}
    named = next((name for name in _named(header) if name in recipes), None)
    recipe = named or min(rows, key=lambda name: len(rows[name]))
    return RecipeFacts(recipe, named is not None, rows[recipe])


def _named(text: str) -> list[str]:
    """Recipes that the comment on top of a params file names, in its order."""
    comment = takewhile(lambda line: not line.strip() or line.startswith("#"), text.splitlines())
    return _NAMED.findall("\n".join(comment))


def _differing(here: Values, recipe: Values) -> Iterator[Differing]:
    ours, theirs = dict(_leaves(here)), dict(_leaves(recipe))
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            yield Differing(key, ours.get(key, NOT_SET), theirs.get(key, NOT_SET))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key -> value as text; the phases of a list are counted from 0, as in `-S` of DVC."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        yield key, _shown(value)
        return
    for name, item in value.items():
        yield from _leaves(item, f"{key}.{name}" if key else str(name))


def _shown(value: Any) -> str:
    """A value as YAML has it; equal numbers have the same text."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case int() | float():
            return f"{value:.12g}"
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case "":
            return '""'
        case _:
            return str(value)
