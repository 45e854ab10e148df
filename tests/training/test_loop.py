import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from headstart.training.loop import batch_rows, mean_loss, n_batches


@given(n=st.integers(2, 500), batch_size=st.integers(2, 70))
def test_batches_hold_every_row_once_and_never_just_one(n: int, batch_size: int) -> None:
    batches = batch_rows(np.arange(n)[::-1], batch_size)
    assert np.array_equal(np.concatenate(batches), np.arange(n)[::-1])
    sizes = [len(batch) for batch in batches]
    assert len(batches) == n_batches(n, batch_size)
    assert min(sizes) >= 2 and max(sizes) - min(sizes) <= 1
    # 2 is the one size of which an odd number of pictures leaves one over
    assert max(sizes) <= (3 if batch_size == 2 and n % 2 else batch_size)
    if max(sizes) <= batch_size:  # and then there are as few batches as that allows
        assert len(batches) == math.ceil(n / batch_size)


@pytest.mark.parametrize("n", [0, 1])
def test_one_picture_is_no_training(n: int) -> None:
    for refused in (lambda: n_batches(n, 16), lambda: batch_rows(np.arange(n), 16)):
        with pytest.raises(ValueError, match=f"train has {n} labelled pictures; .* at least 2"):
            refused()


def test_batch_norm_trains_on_pairs_of_an_odd_number_of_rows() -> None:
    norm = nn.BatchNorm1d(4)
    for rows in batch_rows(np.arange(7), 2):
        assert torch.isfinite(norm(torch.randn(len(rows), 4))).all()


def test_the_epoch_loss_weighs_batches_by_their_size() -> None:
    assert mean_loss([(1.0, 3), (5.0, 1)]) == 2.0
