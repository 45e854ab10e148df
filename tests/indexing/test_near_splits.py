from headstart.indexing.labelling import Meaning
from headstart.indexing.near_duplicates import Near
from headstart.indexing.near_splits import Pair, joined_groups, keep_apart

A_CHAIN = [
    Pair(first, second, Near(0, 1, 0.9, mirrored=False, cropped=False))
    for first, second in (("a", "b"), ("b", "c"))
]
SPLITS = {"a": "train", "b": "train", "c": "test"}
KNOWN = {picture: Meaning(("x",), split) for picture, split in SPLITS.items()}
COPIES = {picture: [f"{picture}.png"] for picture in KNOWN}


def test_a_chain_goes_through_a_picture_that_is_to_be_left_out() -> None:
    for out, aside in (([], ["a.png", "b.png"]), (["b"], ["a.png"]), (["c"], [])):
        kept, problems = keep_apart(KNOWN, A_CHAIN, COPIES, out)
        assert [problem.path for problem in problems] == aside
        assert kept.keys() == KNOWN.keys() - ({"a", "b"} if aside else set())


def test_groups_are_joined_within_a_split() -> None:
    groups = {picture: f"of {picture}" for picture in KNOWN}
    assert joined_groups(groups, A_CHAIN, KNOWN) == groups | {"b": "of a"}
    without_b = {picture: KNOWN[picture] for picture in "ac"}
    assert joined_groups(groups, A_CHAIN, without_b) == groups
    of_one_split = {picture: Meaning(("x",), None) for picture in "ac"}
    assert joined_groups(groups, A_CHAIN, of_one_split) == groups | {"c": "of a"}
