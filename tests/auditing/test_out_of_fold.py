import numpy as np
import pytest
import torch

from headstart.auditing import out_of_fold
from headstart.auditing.out_of_fold import components, out_of_fold_logits


def clusters(n: int, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (N, 4) of three classes, and the classes."""
    generator = np.random.default_rng(0)
    targets = np.arange(n) % 3
    points = 3 * np.eye(4)[targets] + spread * generator.normal(size=(n, 4))
    return torch.from_numpy(points).float(), torch.from_numpy(targets)


@pytest.mark.parametrize("n_features", [6, 60])  # fewer and more than pictures
def test_components_are_those_of_the_standardised_features(
    n_features: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out_of_fold, "ROWS", 7)
    generator = np.random.default_rng(0)
    spread = 10 ** generator.uniform(0, 2, n_features)
    features = (generator.normal(size=(40, n_features)) * spread + 5).astype(np.float32)
    features[:, 3] = 0.1  # says nothing
    standard = features - features.mean(0, dtype=np.float64)
    standard /= np.maximum(features.std(0, dtype=np.float64), 1e-6) * np.sqrt(n_features)
    u, s, _ = np.linalg.svd(standard.astype(np.float64), full_matrices=False)
    found = components(features, 3).numpy()[:, ::-1]  # the largest first
    assert np.abs(found) == pytest.approx(np.abs(u[:, :3] * s[:3]), abs=1e-4)
    assert components(features).shape == (40, min(n_features, 40))


def test_components_of_a_few_pictures_among_thousands_of_features_are_finite() -> None:
    features = np.maximum(np.random.default_rng(0).normal(size=(36, 2560)), 0).astype(np.float32)
    assert components(features).isfinite().all()


def test_a_picture_does_not_decide_what_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_fold, "DECAYS", [1e-3])  # which decay is best, all pictures decide
    points, targets = clusters(60)
    folds = np.arange(60) % 4
    mine = folds == 2
    logits = out_of_fold_logits(points, targets, folds, 3, "single_label")
    other = targets.clone()
    other[0] = 1 - other[0]  # in fold 0
    changed = out_of_fold_logits(points, other, folds, 3, "single_label")
    assert (changed[folds == 0] == logits[folds == 0]).all()
    assert (changed[mine] != logits[mine]).any()
    assert (logits.argmax(axis=1) == targets.numpy()).mean() > 0.9


def test_many_labels_are_judged_each_by_itself() -> None:
    points, targets = clusters(90)
    given = torch.eye(3)[targets]
    given[:, 2] = 1 - given[:, 2]
    logits = out_of_fold_logits(points, given, np.arange(90) % 5, 3, "multi_label")
    assert ((logits > 0) == given.numpy().astype(bool)).mean() > 0.9


def test_it_is_the_same_tomorrow() -> None:
    points, targets = clusters(60, spread=3.0)
    one, two = (
        out_of_fold_logits(points, targets, np.arange(60) % 5, 3, "single_label") for _ in range(2)
    )
    assert (one == two).all()
