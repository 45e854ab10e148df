import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from headstart.activations.frozen import FrozenBackbone, Row
from headstart.activations.stored import SizedActivations
from headstart.backbone.backbone import Backbone
from headstart.backbone.frame import Frame
from headstart.kept.once import Once, anew
from headstart.kept.records import rows_once
from headstart.labels.labels import Labels
from headstart.project.report import Silent
from headstart.steps.precompute_views import precompute_views
from tests.small_networks import SIZE, SQUARE, small_backbone, small_pictures
from tests.steps.conftest import AUGMENT, IDS, VIEWS, computed, frozen

Compute = Callable[[Sequence[str]], Iterable[Row]]


def test_cached_views_equal_live_ones(
    backbone: Backbone, labels: Labels, views: SizedActivations
) -> None:
    ids = labels.ids("train")
    for view in range(VIEWS.n_views):
        shown = torch.cat(list(small_pictures().views([ids], AUGMENT, VIEWS.seed, view)))
        with torch.inference_mode():
            live = backbone(shown).numpy()
        np.testing.assert_allclose(views.first().features[view], live, rtol=1e-4, atol=1e-5)
    assert np.abs(views.first().features[0] - views.first().features[1]).max(1).min() > 1e-3


def test_a_view_does_not_depend_on_how_many_there_are_or_who_else_is_in_train(
    backbone: Backbone, labels: Labels, views: SizedActivations
) -> None:
    params = VIEWS.model_copy(update={"n_views": 1})
    some = labels.ids("train")[5:9]
    fewer = computed(precompute_views(frozen(backbone), some, "d", AUGMENT, params))
    assert np.array_equal(fewer.features[0], views.first().of(some)[0])


@pytest.mark.parametrize("n_before", [1, 17, 32, 44])
def test_views_that_were_kept_equal_those_of_a_full_run_bit_for_bit(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_before: int
) -> None:
    """Some turn and some do not, and they come in another company."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    augment = AUGMENT.model_copy(update={"symmetry": "none", "cutout_frac": 0.2, "blur_px": 1.0})
    asked: list[int] = []

    def counted(shaped_by: Mapping[str, Any], ids: Sequence[str], compute: Compute) -> Any:
        def count(new: Sequence[str]) -> Iterable[Row]:
            asked.append(len(new))
            return compute(new)

        return rows_once(dict.fromkeys(IDS, "0" * 64))(shaped_by, ids, count)

    def views_of(ids: Sequence[str], once: Once[Row]) -> NDArray[np.float32]:
        remembering = replace(frozen(backbone), once=once)
        return computed(precompute_views(remembering, ids, "d", augment, VIEWS)).features

    views_of(IDS[::-1][:n_before], counted)
    mixed = views_of(IDS, counted)
    assert asked == [n_before] * 2 + [len(IDS) - n_before] * 2
    assert np.array_equal(mixed, views_of(IDS, anew))


@pytest.mark.parametrize(
    "changed",
    [
        {"rotate_deg": 4.0},
        {"seed": 8},
        {"size_px": 24},
        {"frame": Frame("squash", 1.0)},
        {"net": 1},
        {"headstart.views.pictures.versions": lambda _: {"pillow": "1.0"}},
        {"headstart.activations.frozen.code_digest": lambda *_: "edited"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_shapes_a_row_is_in_its_key(
    backbone: Backbone, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []

    def note(shaped_by: Mapping[str, Any], ids: Sequence[str], compute: Compute) -> Any:
        keys.append(json.dumps(shaped_by, sort_keys=True))
        return compute(ids)

    def views_of(of: Mapping[str, Any]) -> None:
        net = small_backbone("test_efficientnet") if "net" in of else backbone
        pictures = small_pictures(of.get("size_px", SIZE), of.get("frame", SQUARE))
        augment = AUGMENT.model_copy(update={k: of[k] for k in of if k == "rotate_deg"})
        params = VIEWS.model_copy(update={k: of[k] for k in of if k == "seed"})
        remembering = FrozenBackbone(net, pictures, Silent(), note)
        computed(precompute_views(remembering, IDS[:2], "d", augment, params))

    views_of({})
    for name in changed:
        if name.startswith("headstart."):
            monkeypatch.setattr(name, changed[name])
    views_of(changed)
    assert len(set(keys)) == 2 * VIEWS.n_views


def test_the_manifest_names_augmentation_and_seed(views: SizedActivations) -> None:
    assert views.first().manifest.transform == AUGMENT.model_dump(mode="json")
    assert views.first().manifest.seed == 7
