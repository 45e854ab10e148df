"""Heat maps of many pictures, of one network or several."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from headstart.explaining.heat_maps import heat_maps, looks
from headstart.explaining.look import Look
from headstart.views.inference import forward_passes, padded
from tests.small_networks import small_network, small_pictures

ASKED = [("3", 0), ("1", 2), ("3", 1), ("0", 0)]


def test_each_picture_has_the_map_of_the_class_asked_of_it() -> None:
    network, pictures = small_network("test_convnext").eval(), small_pictures(64)
    found = list(heat_maps([network], pictures, ASKED))
    assert len(found) == 4 and not np.array_equal(found[0], found[2])
    for heat, (picture, number) in zip(found, ASKED, strict=True):
        look = Look(network, padded(next(pictures.plain([[picture]]))))
        alone = look.heat(torch.full((len(look.logits),), number))[0].numpy()
        assert heat.dtype == np.float32
        np.testing.assert_allclose(heat, alone, atol=1e-5)


def test_pictures_of_several_batches_come_in_their_order() -> None:
    network, pictures = small_network().eval(), small_pictures(96)
    asked = [(str(number % 40), number % 3) for number in range(70)]
    found = np.stack(list(heat_maps([network], pictures, asked)))
    assert len(found) == 70
    again = np.stack(list(heat_maps([network], pictures, asked[::-1])))[::-1]
    np.testing.assert_allclose(found, again, atol=1e-5)
    assert list(heat_maps([network], pictures, [])) == []


def test_an_ensemble_has_the_mean_of_its_maps() -> None:
    networks = [small_network(name).eval() for name in ("test_resnet", "test_efficientnet")]
    pictures = small_pictures(96)
    one, two = (np.stack(list(heat_maps([network], pictures, ASKED))) for network in networks)
    mean = (one + two) / 2
    both = np.stack(list(heat_maps(networks, pictures, ASKED)))
    np.testing.assert_allclose(both, mean / mean.max((1, 2), keepdims=True), atol=1e-6)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_logits_are_those_of_forward_passes(
    name: str, n_threads: int, torch_threads: Callable[[int], None]
) -> None:
    """To the bit; with two threads, two batches are looked at at once."""
    torch_threads(n_threads)
    network, pictures = small_network(name).eval(), small_pictures()
    ids = [[str(first + n) for n in range(3)] for first in range(0, 30, 3)]
    passes = forward_passes(network, pictures.plain(ids))
    alone = [look.heat([0, 1, 2]) for look in looks([network], pictures.plain(ids))]
    for seen, logits, heat in zip(
        looks([network, network], pictures.plain(ids)), passes, alone, strict=True
    ):
        assert np.array_equal(seen.logits(), np.stack([logits, logits], axis=1))
        np.testing.assert_allclose(seen.heat([0, 1, 2]), heat, atol=1e-5)
