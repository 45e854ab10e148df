"""What the page says about the pictures."""

from typing import Any

import pandas as pd

from headstart.reporting.facts_data import N_LISTED, data_facts

ABOUT: dict[str, Any] = {
    "kind": "network", "architecture": "net", "weights": "abc", "size_px": 64, "precision": "float32",
    "frame": {"crop": "center", "crop_frac": 0.96}, "hidden_units": 0, "dropout": [0.0, 0.5],
    "preprocessing": {"stored": [{"size_px": 80, "codec": "jpeg", "quality": 92, "pillow": "13"}]},
    "classes": ["cat", "eel"], "history": ["train-head", "unfreeze-finetune"],
    "params": {"runtime": {"device": "cuda", "training_precision": "float32"}},
}  # fmt: skip
INDEX: dict[str, Any] = {
    "n_files_ignored": 1,
    "splits": {
        "train": {"n": 5, "n_labelled": 5, "per_class": {"cat": 3, "eel": 2}},
        "test": {"n": 4, "n_labelled": 1, "per_class": {"eel": 1}},
    },
    "n_problems": {"total": 3, "no_label": 2, "zero_bytes": 1},
}
NONE = pd.DataFrame(columns=["path", "problem", "detail"])


def pictures(*sizes: tuple[int, int], n_paths: int = 1) -> pd.DataFrame:
    rows = [([f"{i}.jpg"] * (n_paths if i == 0 else 1), *size) for i, size in enumerate(sizes)]
    return pd.DataFrame(rows, columns=["paths", "width", "height"])


def test_classes_are_counted_by_split_and_absent_ones_are_zero() -> None:
    found = data_facts(INDEX, pictures((9, 9)), NONE, ABOUT)
    assert found.splits == ("train", "test")
    assert [(row.name, row.n, row.n_all) for row in found.classes] == [
        ("cat", (3, 0), 3),
        ("eel", (2, 1), 3),
    ]
    assert (found.totals.n, found.totals.n_all) == ((5, 4), 9)
    assert found.unlabelled.n == (0, 3)


def test_sizes_name_the_smallest_and_the_largest_picture() -> None:
    found = data_facts(INDEX, pictures((40, 30), (1000, 2000), (50, 60)), NONE, ABOUT)
    assert found.sentences[0] == (
        "The smallest picture is 40 × 30 px, the largest 1,000 × 2,000 px; the median of the shorter "
        "sides is 50 px."
    )
    same = data_facts(INDEX, pictures((9, 8), (9, 8)), NONE, ABOUT)
    assert same.sentences[0] == "All pictures are 9 × 8 px."
    turned = data_facts(INDEX, pictures((9, 8), (8, 9)), NONE, ABOUT)
    assert not turned.sentences[0].startswith("All")


def test_stored_and_network_size_come_from_the_checkpoint() -> None:
    [_, stored, *_] = data_facts(INDEX, pictures((9, 9)), NONE, ABOUT).sentences
    assert stored == (
        "They are stored as jpeg of quality 92 with a shorter side of at most 80 px; the network sees "
        "64 × 64 px."
    )


def test_copies_groups_and_other_files_are_told() -> None:
    index = INDEX | {"n_groups": 1200, "n_in_largest_group": 7}
    text = " ".join(data_facts(index, pictures((9, 9), (9, 9), n_paths=3), NONE, ABOUT).sentences)
    assert "4 files hold 2 different pictures: 1 picture has exact copies" in text
    assert "The pictures form 1,200 groups, the largest of 7" in text
    assert "One more file is no picture and was left aside." in text
    alone = " ".join(
        data_facts(INDEX | {"n_files_ignored": 2}, pictures((9, 9)), NONE, ABOUT).sentences
    )
    assert "No two files have the same content." in alone
    assert "2 other files are no pictures" in alone
    assert "groups" not in alone


def test_files_set_aside_are_counted_by_kind_and_listed_with_their_reason() -> None:
    rows = [(f"{i}.jpg", "no_label", "its row has none") for i in range(N_LISTED + 5)]
    problems = pd.DataFrame(rows, columns=NONE.columns)
    found = data_facts(INDEX, pictures((9, 9)), problems, ABOUT)
    assert found.problems == {"no label": 2, "zero bytes": 1}
    assert len(found.set_aside) == N_LISTED
    assert found.set_aside[0] == ("0.jpg", "no label", "its row has none")


def test_near_duplicates_are_told() -> None:
    def said(**counts: int) -> str:
        n = dict.fromkeys(("pairs", "in_two_splits", "set_aside", "of_two_labels"), 0) | counts
        index = INDEX | {"n_near_duplicates": n}
        return " ".join(data_facts(index, pictures((9, 9)), NONE, ABOUT).sentences)

    assert "No two pictures show the same shot" in said()
    assert "1 pair shows one shot: none in two splits." in said(pairs=1)
    assert (
        "1,200 pairs show one shot: 7 in two splits, 2 without one picture, as a later split has the "
        "other, 5 with different labels."
    ) in said(pairs=1200, in_two_splits=7, set_aside=2, of_two_labels=5)
    assert "were not searched for" in " ".join(
        data_facts(INDEX, pictures((9, 9)), NONE, ABOUT).sentences
    )
