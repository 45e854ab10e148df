"""The pixels of many pictures, taken together: the sample, and which pairs come first."""

from itertools import pairwise

import pytest

from headstart.commands.pixels import MAX_DECODED, in_two_classes, is_sampled, pixels_of, splits_of
from headstart.commands.small_picture import Seen, see
from headstart.indexing.layout import layout_of
from headstart.project.report import Silent
from tests.scenes import encoded, scene


def seen_of(paths: dict[str, int]) -> dict[str, Seen]:
    """Pictures by the number of their scene; each file of a scene has another quality."""
    return {
        path: see(encoded(scene(number), quality=60 + i))
        for i, (path, number) in enumerate(paths.items())
    }


@pytest.mark.parametrize("n", [1, MAX_DECODED, MAX_DECODED + 1, 3 * MAX_DECODED - 1])
def test_the_sample_is_spread_evenly(n: int) -> None:
    sample = [i for i in range(n) if is_sampled(i, n)]
    assert len(sample) == min(n, MAX_DECODED)
    steps = [b - a for a, b in pairwise(sample)]
    assert not steps or max(steps) - min(steps) <= 1


def test_leaks_and_two_classes_come_first() -> None:
    seen = seen_of(
        {
            "train/a/0.jpg": 0, "train/a/1.jpg": 0, "train/a/2.jpg": 1, "train/b/3.jpg": 1,
            "train/b/4.jpg": 2, "valid/b/5.jpg": 2, "valid/a/6.jpg": 3, "train/b/7.jpg": 4,
        }
    )  # fmt: skip
    layout = layout_of(seen)
    found = pixels_of(seen, [], layout, Silent())
    assert found.alike is not None
    assert [pair[:2] for pair in found.alike] == [
        ("train/b/4.jpg", "valid/b/5.jpg"),
        ("train/a/2.jpg", "train/b/3.jpg"),
        ("train/a/0.jpg", "train/a/1.jpg"),
    ]
    assert [splits_of(pair, layout) for pair in found.alike] == [("train", "valid"), (), ()]
    assert [in_two_classes(pair, layout) for pair in found.alike] == [False, True, False]


def test_one_of_each_group_of_exact_copies_is_compared() -> None:
    seen = seen_of({f"{i}.jpg": i for i in range(12)} | {"x.jpg": 3})
    seen |= {"3b.jpg": seen["3.jpg"], "3c.jpg": seen["3.jpg"]}
    copies = [("unseen.jpg", "3.jpg", "3b.jpg", "3c.jpg")]
    found = pixels_of(seen, copies, layout_of(seen), Silent()).alike
    assert found is not None and [pair[:2] for pair in found] == [("3.jpg", "x.jpg")]


def test_what_cannot_be_decoded_counts_nowhere() -> None:
    seen = seen_of({"a.jpg": 0, "b.jpg": 1}) | {"c.jpg": Seen(problem="it breaks off")}
    seen["d.jpg"] = see(encoded(scene(4).convert("L")))
    found = pixels_of(seen, [], layout_of(seen), Silent())
    assert (found.n_decoded, found.n_grey, found.alike) == (3, 1, [])
