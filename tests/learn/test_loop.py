import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.learn.loop import batch_rows, mean_loss, n_batches


@given(n=st.integers(2, 500), batch_size=st.integers(2, 70))
def test_batches_hold_every_row_once_and_never_just_one(n: int, batch_size: int) -> None:
    batches = batch_rows(np.arange(n)[::-1], batch_size)
    assert np.array_equal(np.concatenate(batches), np.arange(n)[::-1])
    sizes = [len(batch) for batch in batches]
    assert len(batches) == n_batches(n, batch_size)
    assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    assert min(sizes) > 1 or batch_size < 4


def test_the_epoch_loss_weighs_batches_by_their_size() -> None:
    assert mean_loss([(1.0, 3), (5.0, 1)]) == 2.0
