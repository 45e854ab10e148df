"""Labels that are wrong on purpose are found, whatever split they are in."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from headstart.activations.stored import Activations, ActivationsError
from headstart.labels.labels import Labels
from headstart.labels.task import Task
from headstart.steps.audit_labels import AuditLabelsParams, LabelAudit, audit_labels
from tests.steps.conftest import make_labels
from tests.steps.conftest import plain as plain

PARAMS = AuditLabelsParams(n_folds=5, confidence=0.5, seed=0)
CLASSES = ("cat", "dog", "eel")
N = 180
SPLITS = ["train", "train", "valid", "test"]
Names = list[list[str] | None]


def features_of(numbers: Sequence[int] | NDArray[np.int64], seed: int = 0) -> NDArray[np.float32]:
    """Features (1, N, 12) that show the class, with noise."""
    noise = np.random.default_rng(seed).normal(size=(len(numbers), 12))
    return (3 * np.eye(12)[list(numbers)] + noise)[None].astype(np.float32)


def audited(
    features: NDArray[np.float32],
    names: Names,
    task: Task = "single_label",
    params: AuditLabelsParams = PARAMS,
    **columns: Any,
) -> LabelAudit:
    """The audit of pictures 0000, 0001, ... with these labels."""
    ids = [f"{number:04d}" for number in range(len(names))]
    table = pd.DataFrame({"id": ids, "labels": pd.Series(names, dtype=object), "group": ids})
    table["split"] = [SPLITS[number % 4] for number in range(len(names))]
    labels = Labels(table.assign(**columns), CLASSES, task)
    cached = Activations(features, ids, None)  # type: ignore[arg-type]
    return audit_labels(cached, labels, {i: f"files/{i}.jpg" for i in ids}, params)


def with_flips(n: int, seed: int = 0) -> tuple[NDArray[np.float32], Names, set[str]]:
    """Features, class names of which `n` are wrong, and the ids of these."""
    generator = np.random.default_rng(seed)
    truth = np.arange(N) % 3
    given = truth.copy()
    flipped = generator.choice(N, n, replace=False)
    given[flipped] = (truth[flipped] + generator.integers(1, 3, n)) % 3
    names: Names = [[CLASSES[number]] for number in given]
    return features_of(truth), names, {f"{number:04d}" for number in flipped}


def test_planted_errors_come_first(figures: Callable[[str], None]) -> None:
    features, names, flipped = with_flips(18)
    audit = audited(features, names)
    first = set(audit.table["id"].head(18))
    flagged = set(audit.table["id"][audit.table["flagged"]])
    assert len(first & flipped) >= 16
    assert len(flagged & flipped) >= 0.8 * max(len(flagged), 15)
    assert audit.metrics["share_wrong"] == pytest.approx(0.1, abs=0.03)
    found = audit.table[audit.table["id"].isin(first & flipped)]
    truth = [CLASSES[int(i) % 3] for i in found["id"]]
    assert (found["suggested"] == truth).mean() > 0.9
    assert set(found["split"]) == {"train", "valid", "test"}
    figures(f"18 wrong of {N}, {len(first & flipped)} among the first 18")


def test_the_table_ranks_every_labelled_picture() -> None:
    features, names, _ = with_flips(9)
    names[5] = names[7] = None
    audit = audited(features, names)
    table = audit.table
    assert list(table["rank"]) == list(range(1, N - 1))
    assert set(table["id"]) == {f"{i:04d}" for i in range(N)} - {"0005", "0007"}
    assert table["p_wrong"].is_monotonic_decreasing
    assert (table["flagged"] == (table["p_wrong"] >= 0.5)).all()
    assert (table["given"] != table["suggested"]).all()
    assert table["path"].tolist() == [f"files/{i}.jpg" for i in table["id"]]
    assert audit.metrics["n_pictures"] == audit.metrics["n_judged"] == N - 2
    of_splits = audit.metrics["splits"]
    assert list(of_splits) == ["train", "valid", "test"]
    assert sum(of["n_flagged"] for of in of_splits.values()) == audit.metrics["n_flagged"]
    assert sum(of["n_pictures"] for of in of_splits.values()) == N - 2


def test_right_labels_are_not_flagged() -> None:
    features, names, _ = with_flips(0)
    assert audited(features, names).metrics["n_flagged"] <= 1


def test_a_higher_confidence_flags_fewer() -> None:
    features, names, _ = with_flips(18)
    few, many = (
        audited(features, names, params=PARAMS.model_copy(update={"confidence": confidence}))
        for confidence in (0.9, 0.5)
    )
    assert 0 < few.metrics["n_flagged"] < many.metrics["n_flagged"]
    assert few.table["id"].tolist() == many.table["id"].tolist()


def test_it_is_the_same_tomorrow() -> None:
    features, names, _ = with_flips(18)
    one, two = (audited(features, names).table for _ in range(2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_pictures_of_a_group_do_not_vouch_for_each_other() -> None:
    """Ten shots of one cat are called dogs. Each would be right if the others had taught it."""
    features, names, _ = with_flips(0)
    shots = list(range(0, 30, 3))
    features[0, shots] = features[0, 0] + 0.1 * features_of([3] * 10)[0]
    for shot in shots:
        names[shot] = ["dog"]
    groups = ["one" if number in shots else f"{number}" for number in range(N)]
    alone = audited(features, names).table.set_index("id")["p_wrong"]
    together = audited(features, names, group=groups).table.set_index("id")["p_wrong"]
    ids = [f"{shot:04d}" for shot in shots]
    assert alone[ids].max() < 0.1
    assert together[ids].min() > 0.5


@pytest.mark.parametrize("n_rare", [1, 2])
def test_a_class_that_the_other_folds_do_not_show_is_not_judged(n_rare: int) -> None:
    truth = np.arange(N) % 2
    truth[-n_rare:] = 2
    audit = audited(features_of(truth), [[CLASSES[number]] for number in truth])
    rare = audit.table.tail(n_rare)
    assert set(rare["given"]) == {"eel"}
    assert rare[["p_given", "p_suggested", "p_wrong"]].isna().all(axis=None)
    assert not rare["flagged"].any()
    assert audit.metrics["n_judged"] == N - n_rare


def test_a_class_of_three_is_judged() -> None:
    truth = np.arange(N) % 2
    truth[-3:] = 2
    audit = audited(features_of(truth), [[CLASSES[number]] for number in truth])
    assert audit.metrics["n_judged"] == N


@pytest.mark.parametrize("names", [[["cat"]] * 4, [["cat"], ["dog"], None], [None, None], []])
def test_with_too_few_pictures_nothing_is_judged(names: Names) -> None:
    audit = audited(features_of([0] * len(names)), names)
    n = sum(name is not None for name in names)
    assert (audit.metrics["n_pictures"], audit.metrics["n_judged"]) == (n, 0)
    assert audit.metrics["n_flagged"] == 0 and "share_wrong" not in audit.metrics
    assert len(audit.table) == n


def test_classes_of_one_group_each_are_not_judged(recwarn: pytest.WarningsRecorder) -> None:
    """No fold has a class of its own in the others, though it has all others."""
    truth = np.arange(N) % 3
    names: Names = [[CLASSES[number]] for number in truth]
    audit = audited(features_of(truth), names, group=[f"video {number}" for number in truth])
    assert audit.metrics["n_judged"] == 0 and not recwarn.list


def test_of_many_labels_the_extra_and_the_missing_one_are_named() -> None:
    generator = np.random.default_rng(0)
    has = generator.random((N, 3)) < (0.6, 0.4, 0.3)  # (N, K)
    features = (4 * has @ np.eye(3, 12) + 0.7 * generator.normal(size=(N, 12)))[None]
    wrong = has.copy()
    for number in range(0, N, 15):  # a label is given in place of another, or is missing
        wrong[number, number // 15 % 3] ^= True
    names: Names = [[CLASSES[k] for k in np.flatnonzero(row)] for row in wrong]
    audit = audited(features.astype(np.float32), names, "multi_label")
    first = audit.table.head(12)
    planted = first[first["id"].astype(int) % 15 == 0]
    assert len(planted) >= 10
    truth = [", ".join(CLASSES[k] for k in np.flatnonzero(has[int(i)])) for i in planted["id"]]
    assert (planted["suggested"] == truth).mean() >= 0.9
    assert planted["p_given"].max() < 0.5 < planted["p_suggested"].min()


def test_a_picture_without_activations_is_an_error(plain: Any) -> None:
    labels, first = make_labels(), plain.first()
    fewer = Activations(first.features[:, 1:], first.ids[1:], first.manifest)
    with pytest.raises(ActivationsError, match="no row for picture 000"):
        audit_labels(fewer, labels, dict.fromkeys(first.ids, "x.jpg"), PARAMS)
