"""All fields of all sections, and for each the values that its description forbids."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from hypothesis import strategies as st

from headstart.checks.sections import SECTIONS, model_of
from headstart.project.section import Section


@dataclass(frozen=True)
class Leaf:
    """One kind of value that a field may have.

    Attributes:
        kind: int, float, bool or str; Literal: one of `words`; tuple: a list of `items`; dict: a
            mapping from names to `items[0]`; Section.
        metadata: the constraints.
        words: that are allowed.
        items: of the list, one for each place.
        repeats: whether the list has any number of `items[0]`.
    """

    kind: Any
    metadata: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()
    items: tuple[tuple["Leaf", ...], ...] = ()
    repeats: bool = False

    def bound(self, *kinds: type) -> float | None:
        """The constraint of one of these kinds."""
        found = [m for m in self.metadata if isinstance(m, kinds)]
        names = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}
        return getattr(found[0], names[type(found[0])]) if found else None


@dataclass(frozen=True)
class FieldOf:
    """A field of a section, or of the items of a list of sections.

    Attributes:
        section: its name.
        path: keys and places in lists, below the section.
        description: of the model.
        leaves: what it may be.
    """

    section: str
    path: tuple[str | int, ...]
    description: str
    leaves: tuple[Leaf, ...] = field(repr=False)

    @property
    def key(self) -> str:
        return ".".join([self.section, *map(str, self.path)])


def every_field() -> list[FieldOf]:
    return [found for name in SECTIONS for found in _fields(name, model_of(name), ())]


def _fields(section: str, model: type[Section], above: tuple[str | int, ...]) -> Iterator[FieldOf]:
    for name, info in model.model_fields.items():
        path = (*above, name)
        leaves = tuple(_leaves(info.annotation, tuple(info.metadata)))
        yield FieldOf(section, path, info.description or "", leaves)
        for leaf in leaves:
            for of_item in (found for item in leaf.items for found in item):
                if isinstance(of_item.kind, type) and issubclass(of_item.kind, Section):
                    yield from _fields(section, of_item.kind, (*path, 0))


def _leaves(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[Leaf]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):  # Annotated
        yield from _leaves(annotation.__origin__, metadata + _flat(annotation.__metadata__))
    elif origin in (Union, UnionType):
        for member in arguments:
            yield from _leaves(member, metadata)
    elif origin is Literal:
        yield Leaf(Literal, words=arguments)
    elif origin is tuple:
        repeats = arguments[-1] is Ellipsis
        kinds = arguments[:1] if repeats else arguments
        items = tuple(tuple(_leaves(kind, ())) for kind in kinds)
        yield Leaf(tuple, metadata, items=items, repeats=repeats)
    elif origin is dict:
        _, of_values = arguments
        yield Leaf(dict, metadata, items=(tuple(_leaves(of_values, ())),))
    else:
        yield Leaf(annotation, metadata)


def _flat(metadata: tuple[Any, ...]) -> tuple[Any, ...]:
    """The constraints in `metadata`, those of a pydantic Field taken out of it."""
    return tuple(c for m in metadata for c in (getattr(m, "metadata", None) or [m]))


SCALARS = (int, float, bool, str, Literal, NoneType)


def forbidden(leaves: tuple[Leaf, ...]) -> st.SearchStrategy[Any]:
    """Values that none of `leaves` allows."""
    numbers = [leaf for leaf in leaves if leaf.kind in (int, float)]
    kinds = {leaf.kind for leaf in leaves}
    words = {word for leaf in leaves for word in leaf.words}
    wrong: list[st.SearchStrategy[Any]] = []
    if dict not in kinds:
        wrong += [st.just({}), st.just({"a": 1})]
    if NoneType not in kinds:
        wrong.append(st.none())
    if bool not in kinds:
        wrong.append(st.booleans())
    if str not in kinds:
        wrong.append(st.sampled_from(["3", "0.5", "true", ""]))
        wrong.append(st.text(max_size=9).filter(lambda text: text not in words))
    if not numbers:
        wrong.append(st.integers() | st.floats())
    if kinds <= set(SCALARS):
        wrong += [st.just([]), st.just([0.5]), st.just([1, 2])]
    wrong += [found for leaf in numbers for found in _wrong_numbers(leaf)]
    wrong += [found for leaf in leaves for found in _wrong_texts_and_lists(leaf)]
    return st.one_of(wrong)


def _wrong_numbers(leaf: Leaf) -> Iterator[st.SearchStrategy[Any]]:
    low, over, high, below = (leaf.bound(kind) for kind in (Ge, Gt, Le, Lt))
    yield st.sampled_from([math.nan, math.inf, -math.inf])
    if leaf.kind is int:
        yield st.floats(allow_nan=False, allow_infinity=False)
        if low is not None:
            yield st.integers(max_value=int(low) - 1)
        if high is not None:
            yield st.integers(min_value=int(high) + 1)
        return
    for bound, exclude in ((low, True), (over, False)):
        if bound is not None:
            yield st.floats(max_value=bound, exclude_max=exclude, allow_infinity=False)
            yield st.integers(max_value=math.ceil(bound) - 1)
            yield st.just(math.nextafter(bound, -math.inf) if exclude else bound)
    for bound, exclude in ((high, True), (below, False)):
        if bound is not None:
            yield st.floats(min_value=bound, exclude_min=exclude, allow_infinity=False)
            yield st.integers(min_value=math.floor(bound) + 1)
            yield st.just(math.nextafter(bound, math.inf) if exclude else bound)


def _wrong_texts_and_lists(leaf: Leaf) -> Iterator[st.SearchStrategy[Any]]:
    if leaf.kind is dict:
        if any(isinstance(m, MinLen) for m in leaf.metadata):
            yield st.just({})
        yield forbidden(leaf.items[0]).map(lambda value: {"a": value})
        good_value = "a" if any(of.kind is str for of in leaf.items[0]) else {"a": 1.0}
        yield st.sampled_from([3, 0.5, True, None]).map(lambda name: {name: good_value})
    if leaf.kind is str and any(isinstance(m, MinLen) for m in leaf.metadata):
        yield st.just("")
    if leaf.kind is not tuple:
        return
    if any(isinstance(m, MinLen) for m in leaf.metadata):
        yield st.just([])
    if any(issubclass(of.kind, Section) for of in leaf.items[0] if isinstance(of.kind, type)):
        yield st.just([3]) | st.just(["head"]) | st.just([[]])
        return
    if leaf.items[0][0].kind is str:
        yield st.just([3]) | st.just([["a"]]) | st.just(["a", "a"])
        return
    good = [allowed(item) for item in leaf.items]
    if leaf.repeats:
        yield good[0].map(lambda value: [value, value])  # sizes: each once
    else:
        yield st.tuples(*good, good[0]).map(list)  # one too many
        yield st.tuples(*good[1:]).map(list)  # one too few
    for place, item in enumerate(leaf.items):
        others = [forbidden(item) if i == place else each for i, each in enumerate(good)]
        yield st.tuples(*others).map(list)


def allowed(leaves: tuple[Leaf, ...]) -> st.SearchStrategy[Any]:
    """Numbers that the first of `leaves` allows."""
    number = leaves[0]
    low, high = number.bound(Ge, Gt), number.bound(Le, Lt)
    assert low is not None and high is not None
    if number.kind is int:
        return st.integers(int(low), min(int(high), 64))
    return st.floats(low, high, exclude_min=bool(number.bound(Gt)), exclude_max=True)
