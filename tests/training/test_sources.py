from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.training.feature_source import FeatureSource, views_of_epochs
from headstart.training.sampling import Rows

V = st.integers(1, 12)
Epochs = st.sets(st.integers(0, 40)).map(sorted)


@given(epochs=Epochs, n_views=V)
def test_no_view_is_read_again_before_all_others_were(epochs: list[int], n_views: int) -> None:
    views = views_of_epochs(epochs, n_views)
    assert list(views) == epochs
    n_read = Counter(dict.fromkeys(range(n_views), 0))
    for view in views.values():
        assert n_read[view] == min(n_read.values())
        n_read[view] += 1
    assert len(n_read) == n_views


@given(epochs=Epochs, n_more=st.integers(1, 5))
def test_with_as_many_views_as_epochs_they_are_those_of_live_augmentation(
    epochs: list[int], n_more: int
) -> None:
    n_views = max(epochs, default=0) + n_more
    assert views_of_epochs(epochs, n_views) == {epoch: epoch for epoch in epochs}


@given(first=st.integers(0, 20), n=st.integers(0, 40), n_views=V)
def test_epochs_in_a_row_read_modulo(first: int, n: int, n_views: int) -> None:
    """One size, and two sizes one after the other: so these recipes keep their bits."""
    epochs = range(first, first + n)
    assert views_of_epochs(epochs, n_views) == {epoch: epoch % n_views for epoch in epochs}


def test_sizes_that_alternate() -> None:
    assert list(views_of_epochs([0, 1, 2, 6, 7, 8], 6).values()) == [0, 1, 2, 3, 4, 5]
    assert list(views_of_epochs([3, 4, 5], 6).values()) == [3, 4, 5]
    assert list(views_of_epochs([0, 1, 2, 6, 7, 8], 4).values()) == [0, 1, 2, 3, 3, 0]


def test_a_source_reads_the_view_of_its_epoch_and_copies_the_next_ones() -> None:
    features = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 2, 1), np.float32)
    source = FeatureSource(features, np.zeros(2, np.int64), torch.device("cpu"), {7: 2})
    shown = Rows(np.array([0, 1, 1]), np.array([0, 0, 1]))
    for epoch, views in ((7, [2, 2, 0]), (8, [2, 2, 0]), (0, [0, 0, 1])):
        [(read, _)] = source.epoch(epoch, [shown])
        assert read[:, 0].tolist() == views
