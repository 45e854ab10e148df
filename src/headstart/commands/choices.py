"""Turns what a folder holds into params: one pure rule, each choice with its reason.

docs/own_pictures.md says where each number was measured.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

View = Literal["photo", "side_on", "top_down", "texture", "document"]

FEW_PER_CLASS = 50  # pictures of train; below it a network has little to fine-tune on
FEW_PICTURES = 1000  # below it valid is a fold, so that `headstart folds` can score every picture
N_FOLDS = 5
UNEVEN = 5  # largest class by smallest class from which on rare classes are repeated
HEAD_STEPS = 200  # steps that the head trains on plain views
LR_OF_FEW = 0.006  # of a head on few pictures a class
QUICK_PICTURES = 240  # of train, and as many of valid
MIN_PX, STEP_PX = 96, 32  # input sizes of small pictures


class Choice(NamedTuple):
    """A value for a dotted key of params.yaml, and why; the reason ends as a comment at its line."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Findings:
    """What the rule looks at.

    Attributes:
        source: dataset.source.
        labels: values of the index_images keys that say where labels come from, such as labels,
            id_column, task; from the layout.
        reason: what those follow from, in a few words.
        n_labelled: pictures with labels, outside a given valid and test.
        per_class: pictures of each class among them.
        splits: the splits that folders give: train, valid, test.
        short_px: median of the shorter side, px.
        n_groups: groups of pictures that no split may cut; 0: nothing is grouped.
    """

    source: str
    labels: Mapping[str, Any]
    reason: str
    n_labelled: int
    per_class: Mapping[str, int]
    splits: frozenset[str]
    short_px: int
    n_groups: int = 0


@dataclass(frozen=True)
class Wishes:
    """What cannot be seen in the folder.

    Attributes:
        network: timm's name; '': EfficientNet-Lite0.
        packaged_weights: the file of sources/ whose package has its weights; '': timm downloads them.
        network_px: its input side.
        view: what the pictures show.
        quick: whether a try of two minutes is wanted.
    """

    network: str = ""
    packaged_weights: str = ""
    network_px: int = 224
    view: View = "photo"
    quick: bool = False


def choose(found: Findings, wishes: Wishes) -> list[Choice]:
    """The params for these pictures, as far as they may differ from the recipe for photographs."""
    return [
        *_pictures(found, wishes),
        *_sizes(found, wishes),
        *_network(found, wishes),
        *_views(found, wishes),
        *_head_training(found, wishes),
        *_fine_tuning(found, wishes),
    ]


def _pictures(found: Findings, wishes: Wishes) -> Iterator[Choice]:
    yield Choice("dataset.source", found.source, "never changed")
    for key, value in found.labels.items():
        yield Choice(f"index_images.{key}", value, found.reason)
    n = found.n_labelled
    if {"train", "valid"} <= found.splits:
        column = found.labels.get("split_column")
        why = f"by the column {column}" if column else "by the folders"
        yield Choice("index_images.split", "given", why)
        yield Choice("index_images.test_frac", 0.0, "not drawn")
    else:
        yield Choice("index_images.split", "stratified", "nothing gives valid, so it is drawn")
        if n < FEW_PICTURES:
            n_folds = min(N_FOLDS, found.n_groups or N_FOLDS)
            why = f"{n} pictures are few: `headstart folds {n_folds}` scores each of them once"
            yield Choice("index_images.n_folds", n_folds, why)
            why = "test is given" if "test" in found.splits else "none to spare"
            yield Choice("index_images.test_frac", 0.0, why)
        else:
            yield Choice("index_images.valid_frac", 0.1 if n >= 20_000 else 0.2, f"of {n} pictures")
            test = 0.0 if "test" in found.splits else 0.1
            why = "test is given" if "test" in found.splits else "kept for a score at the end"
            yield Choice("index_images.test_frac", test, why)
    yield Choice(
        "index_images.on_problem", "set_aside", "files that cannot be used are listed and left out"
    )
    if wishes.quick:
        yield Choice("index_images.n_max_per_class", _quick_max(found), "--quick")


def _sizes(found: Findings, wishes: Wishes) -> Iterator[Choice]:
    px, why = wishes.network_px, "the network's own size"
    if found.short_px < px:
        px = min(px, max(MIN_PX, STEP_PX * math.ceil(found.short_px / STEP_PX)))
        why = f"shorter sides are {found.short_px} px in the median"
    if wishes.quick:
        px, why = min(px, 128), "--quick"
    yield Choice(
        "resize.size_px", STEP_PX * math.ceil(px * 9 / 7 / STEP_PX), "room for zoomed crops"
    )
    yield Choice("backbone.size_px", px, why)
    if wishes.quick:
        yield Choice("predict_views.n_views", 1, why)


def _network(found: Findings, wishes: Wishes) -> Iterator[Choice]:
    if wishes.network:
        yield Choice("backbone.name", wishes.network, "--network")
        weights = wishes.packaged_weights
        yield Choice(
            "backbone.weights",
            weights or "sources/timm-pretrained.yaml",
            "from a package" if weights else "downloaded by timm",
        )
    few = _per_class(found) < FEW_PER_CLASS
    if wishes.view in ("photo", "side_on"):
        yield Choice("head.hidden_units", 0, "photographs are near what the network knows")
    elif few:
        yield Choice("head.hidden_units", 0, "few pictures a class")
    else:
        yield Choice("head.hidden_units", 512, "a hidden layer, since these are not photographs")
    if few:
        yield Choice("head.dropout", [0.5, 0.5], "few pictures a class")


_AUGMENT: Mapping[View, tuple[str, float, float, str]] = {
    # symmetry, max_zoom, rotate_deg, reason
    "photo": ("side_on", 1.1, 10.0, "photographs: left and right are alike, up and down are not"),
    "side_on": ("side_on", 1.0, 0.0, "seen from the side at one distance"),
    "top_down": ("top_down", 1.05, 10.0, "seen from above: no direction is up"),
    "texture": ("half_turn", 1.0, 0.0, "a texture at one scale, with a direction"),
    "document": ("none", 1.05, 2.0, "writing must not be mirrored"),
}


# What is the other one in a mirror, in names of classes.
_SIDES = (
    *(("left", "right"), ("l", "r"), ("links", "rechts"), ("gauche", "droite")),
    *(("izquierda", "derecha"), ("clockwise", "counterclockwise"), ("clockwise", "anticlockwise")),
)


def _mirrored(classes: Collection[str]) -> tuple[str, str] | None:
    """Two classes whose names say that either is the other in a mirror, such as left and right."""
    of_words = {tuple(re.split(r"[\W_]+", name.casefold())): name for name in classes}
    for words, name in of_words.items():
        for left, right in _SIDES:
            other = of_words.get(tuple(right if word == left else word for word in words))
            if other and other != name:
                return name, other
    return None


def _views(found: Findings, wishes: Wishes) -> Iterator[Choice]:
    symmetry, max_zoom, rotate_deg, why = _AUGMENT[wishes.view]
    if pair := _mirrored(found.per_class):
        symmetry, why = "none", f"{pair[0]} would be {pair[1]} in a mirror"
    yield Choice("augment.symmetry", symmetry, why)
    yield Choice("augment.max_zoom", max_zoom, f"--view {wishes.view}")
    yield Choice("augment.rotate_deg", rotate_deg, f"--view {wishes.view}")


def _head_training(found: Findings, wishes: Wishes) -> Iterator[Choice]:
    n, per_class = found.n_labelled, _per_class(found)
    if wishes.quick:
        n = min(n, _quick_max(found) * len(found.per_class))
    n_train = n if "valid" in found.splits else round(0.8 * n)
    few = per_class < FEW_PER_CLASS
    batch = 64 if n_train >= 512 else 32 if n_train >= 256 else 16
    yield Choice("optimizer_head.batch_size", batch, f"{n_train} pictures to train on")
    counts = [count for count in found.per_class.values() if count]
    if counts and max(counts) >= UNEVEN * min(counts):
        why = f"classes have {min(counts)} to {max(counts)} pictures"
        yield Choice("sampling.balance", "oversample", why)
    steps = max(1, math.ceil(n_train / batch))
    n_epochs = 2 if wishes.quick else min(15, max(3, round(HEAD_STEPS / steps)))
    if few:
        yield Choice("train_head.lr", LR_OF_FEW, "few pictures a class: the suggestion is too high")
    else:
        yield Choice("train_head.lr", "auto", "two thirds of the fall of the range test")
    yield Choice("train_head.n_epochs", n_epochs, f"{steps} steps an epoch")
    n_views = 1 if wishes.quick else 10 if few else 3
    why = "--quick" if wishes.quick else f"{per_class:.0f} pictures a class"
    yield Choice("precompute_views.n_views", n_views, why)
    phase = "train_augmented.phases.0"
    lr = 0.001 if wishes.view in ("photo", "side_on") else 0.01
    yield Choice(f"{phase}.lr", LR_OF_FEW if few else lr, "the head is trained already")
    yield Choice(f"{phase}.cycles", 1 if few else n_views, "an epoch for each view")
    if few:
        yield Choice(f"{phase}.cycle_len", n_views, "an epoch for each view")


def _fine_tuning(found: Findings, wishes: Wishes) -> Iterator[Choice]:
    tune, few = "unfreeze_finetune.phases.0", _per_class(found) < FEW_PER_CLASS
    if wishes.view in ("photo", "side_on"):
        if few:
            yield Choice(f"{tune}.trainable", "late", "few pictures a class")
        lr, measured_on = (5e-5, "dog breeds") if few else (1e-4, "dogs and cats")
        yield Choice(f"{tune}.lr", lr, f"measured on {measured_on}; range tests gave no rate")
    else:
        yield Choice(f"{tune}.lr", 3e-4, "measured on textile; range tests gave no rate")
        if not wishes.quick:
            yield Choice(f"{tune}.cycles", 2, "1 + 2 epochs")
            yield Choice(f"{tune}.cycle_mult", 2, "1 + 2 epochs")
    yield Choice("unfreeze_finetune.monitor", "both", "a lower log loss must not cost accuracy")


def _per_class(found: Findings) -> float:
    """Pictures a class, in the mean; many labels count each picture once for each of its labels."""
    return sum(found.per_class.values()) / max(len(found.per_class), 1)


def _quick_max(found: Findings) -> int:
    """Pictures of each class that a quick try takes."""
    return max(4, math.ceil(QUICK_PICTURES / max(len(found.per_class), 1)))
