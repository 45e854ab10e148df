"""One label a picture and many: the same places, another loss."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from headstart.network.objective import Objective
from headstart.training.feature_source import FeatureSource
from headstart.training.sampling import Balance, SamplingParams, balanced

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 0.1, 0.2], [0.0, 1.0, -2.0], [1.0, 1.0, 4.0]])
CLASSES = np.array([0, 1, 1, 1])
LABELS = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 1, 0]], np.float32)


def sampling(balance: Balance, max_factor: float = 10.0) -> SamplingParams:
    return SamplingParams(balance=balance, strength=1.0, max_factor=max_factor)


def test_one_label_a_picture() -> None:
    objective = Objective("single_label")
    wanted = functional.cross_entropy(LOGITS, torch.from_numpy(CLASSES))
    assert objective.loss(LOGITS, torch.from_numpy(CLASSES)) == wanted
    assert objective.probabilities(LOGITS).sum(1) == pytest.approx(np.ones(4))
    scores = objective.scores(LOGITS, CLASSES)
    assert scores.score == 0.5 and scores.log_loss == pytest.approx(wanted.item())
    of_pictures = functional.cross_entropy(LOGITS, torch.from_numpy(CLASSES), reduction="none")
    assert scores.log_losses == pytest.approx(of_pictures.numpy())
    assert scores.scores.tolist() == [1, 0, 1, 0]
    assert scores.named("single_label").keys() == {"log_loss", "accuracy"}


def test_many_labels_a_picture() -> None:
    objective = Objective("multi_label")
    exact = torch.sigmoid(LOGITS.double()).numpy()
    wanted = -np.log(np.where(LABELS == 1, exact, 1 - exact)).mean()
    assert objective.loss(LOGITS, torch.from_numpy(LABELS)).item() == pytest.approx(wanted)
    assert objective.probabilities(LOGITS) == pytest.approx(exact)
    decided = exact >= 0.2  # [1, 1, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]
    f2 = [5 * 2 / (4 * 2 + 3), 0.0, 5 / (4 + 2), 5 / (4 + 3)]
    assert decided.sum(1).tolist() == [3, 2, 2, 3]
    scores = objective.scores(LOGITS, LABELS)
    assert scores.score == pytest.approx(np.mean(f2)) and scores.log_loss == pytest.approx(wanted)
    losses = -np.log(np.where(LABELS == 1, exact, 1 - exact)).mean(axis=1)
    assert scores.log_losses == pytest.approx(losses) and scores.scores == pytest.approx(f2)
    assert scores.named("multi_label").keys() == {"log_loss", "f2"}


def test_weights_make_the_rare_class_count() -> None:
    sampler, objective = balanced("single_label", CLASSES, 3, sampling("weights"))
    assert objective.weights is not None and objective.weights.tolist() == [3, 1, 1]
    assert sampler.n == 4
    losses = functional.cross_entropy(LOGITS, torch.from_numpy(CLASSES), reduction="none")
    wanted = (losses * torch.tensor([3.0, 1, 1, 1])).sum() / 6
    torch.testing.assert_close(objective.loss(LOGITS, torch.from_numpy(CLASSES)), wanted)
    assert objective.scores(LOGITS, CLASSES) == Objective("single_label").scores(LOGITS, CLASSES)

    _, objective = balanced("multi_label", LABELS, 3, sampling("weights"))
    assert objective.weights is not None and objective.weights.tolist() == [2, 1, 2]


def test_copies_of_the_rare_class() -> None:
    sampler, objective = balanced("single_label", CLASSES, 3, sampling("oversample"))
    assert sampler.factors.tolist() == [3, 1, 1, 1] and objective.weights is None
    sampler, _ = balanced("multi_label", LABELS, 3, sampling("oversample", max_factor=1.5))
    assert sampler.factors.tolist() == [1.5, 1, 1, 1]
    drawn = sampler.epoch(np.random.default_rng(0))
    features = np.arange(8, dtype=np.float32).reshape(2, 4, 1)  # (V, N, D)
    source = FeatureSource(features, LABELS, torch.device("cpu"))
    [(inputs, targets)] = source.epoch(1, [drawn])
    assert inputs[:, 0].tolist() == [4, 0, 5, 6, 7]  # the copy reads view 2 modulo 2
    assert targets.tolist() == LABELS[[0, 0, 1, 2, 3]].tolist()


def test_none_shows_each_picture_once() -> None:
    sampler, objective = balanced("single_label", CLASSES, 3, sampling("none"))
    assert sampler.factors.tolist() == [1, 1, 1, 1] and objective == Objective("single_label")
