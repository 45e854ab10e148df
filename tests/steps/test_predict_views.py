"""Which pictures every checkpoint is asked of, and that nothing of what it says is lost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from headstart.activations.frozen import Row
from headstart.kept.once import Once, anew
from headstart.kept.records import rows_once
from headstart.labels.labels import Labels
from headstart.prediction.predictor import Predictor, Trained
from headstart.prediction.stored_views import Floats
from headstart.project.report import Report, Silent
from headstart.steps.predict_views import PredictViewsParams, predict_views
from tests.broken_off import Breaks, Killed
from tests.broken_off import empty_folder as empty_folder
from tests.small_networks import SIZE, small_backbone, small_network, small_pictures
from tests.steps.conftest import AUGMENT

PARAMS = PredictViewsParams(n_views=2, snapshots=False, seed=3)
CLASSES = ("cat", "dog", "owl")
SPLITS = {"2": "train", "0": "valid", "3": "valid", "1": "test"}


def labels_of(splits: Mapping[str, str]) -> Labels:
    rows = [(picture, [CLASSES[0]], split, picture) for picture, split in sorted(splits.items())]
    table = pd.DataFrame(rows, columns=["id", "labels", "split", "group"])
    return Labels(table, CLASSES, "single_label")


class Numbered:
    """The probabilities of a picture are its number; remembers what it was asked."""

    def __init__(self, n_views: int = 2) -> None:
        self.n_views = n_views
        self.asked: list[list[str]] = []

    def __call__(self, ids: Sequence[str]) -> dict[str, Floats]:
        self.asked.append(list(ids))
        of_one = np.array([int(picture) for picture in ids], np.float64)[None, :, None]
        says = np.broadcast_to(of_one, (1 + self.n_views, len(ids), len(CLASSES)))
        return {"head": says, "finetuned": says + 0.5}


def test_each_split_is_predicted_once_and_train_never() -> None:
    predict = Numbered()
    said = predict_views(labels_of(SPLITS), predict, PARAMS)
    assert predict.asked == [["0", "3"], ["1"]]
    assert said.rows.to_dict("list") == {"id": ["0", "3", "1"], "split": ["valid", "valid", "test"]}
    assert (said.classes, said.task, said.final) == (CLASSES, "single_label", "finetuned")
    for name, more in (("head", 0), ("finetuned", 0.5)):
        assert said.probabilities[name].shape == (3, 3, 3)
        assert said.probabilities[name][1, :, 2].tolist() == [more, 3 + more, 1 + more]
    assert said.counts() == {"n_checkpoints": 2, "n_views": 3, "n_pictures": 3}


def test_without_valid_and_test_there_are_no_rows() -> None:
    predict = Numbered()
    said = predict_views(labels_of({"2": "train"}), predict, PARAMS)
    assert predict.asked == [[]] and said.probabilities["head"].shape == (3, 0, 3)
    assert said.rows.dtypes.equals(predict_views(labels_of(SPLITS), predict, PARAMS).rows.dtypes)
    assert said.counts()["n_pictures"] == 0


def test_the_meaning_of_a_picture_changes_nothing() -> None:
    labels = labels_of(SPLITS)
    relabelled = Labels(labels.table.assign(labels=None), CLASSES, "single_label")
    one, two = (predict_views(given, Numbered(), PARAMS) for given in (labels, relabelled))
    assert one.rows.equals(two.rows)
    assert (one.probabilities["head"] == two.probabilities["head"]).all()


def test_probabilities_of_another_shape_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"views of head on valid have shape \(5, 2, 3\), not \(3, 2, 3\)"
    ):
        predict_views(labels_of(SPLITS), Numbered(n_views=4), PARAMS)


def predictor(report: Report, once: Once[Row] = anew, of_head: float = 1.0) -> Predictor:
    network = small_network()
    state = {
        **{
            f"backbone.{name}": tensor
            for name, tensor in network.backbone.model.state_dict().items()
        },
        **{f"head.{name}": tensor * of_head for name, tensor in network.head.state_dict().items()},
    }
    return Predictor(
        small_backbone(), {"finetuned": Trained([state], SIZE)}, small_pictures(), AUGMENT,
        PARAMS.n_views, PARAMS.seed, "single_label", report, once,
    )  # fmt: skip


def test_a_network_says_of_a_picture_what_it_says_of_it_alone() -> None:
    predict = predictor(Silent())
    said = predict_views(labels_of(SPLITS), predict, PARAMS).probabilities["finetuned"]
    assert said.shape == (3, 3, 3)
    np.testing.assert_allclose(said.sum(axis=-1), 1)
    assert (
        np.abs(np.diff(said, axis=0)).max(axis=(1, 2)) > 1e-6
    ).all()  # no two views are the same
    for row, picture in enumerate(["0", "3", "1"]):
        alone = predict([picture])["finetuned"][:, 0]
        np.testing.assert_allclose(said[:, row], alone, atol=1e-6)


@pytest.mark.usefixtures("empty_folder")
def test_a_run_that_was_broken_off_goes_on_with_the_next_picture() -> None:
    labels, once = labels_of(SPLITS), rows_once({number: number * 64 for number in SPLITS})

    def said(report: Report, once: Once[Row], of_head: float = 1.0) -> Floats:
        predict = predictor(report, once, of_head)
        return predict_views(labels, predict, PARAMS).probabilities["finetuned"]

    with pytest.raises(Killed):
        said(Breaks(2), once)
    again, other = Breaks(), Breaks()
    gone_on = said(again, once)
    assert again.n_steps == 4, "two of the six batches (three views of two splits) were done"
    assert gone_on.tobytes() == said(Silent(), anew).tobytes()
    assert (said(other, once, of_head=2.0) != gone_on).any() and other.n_steps == 6


@pytest.mark.parametrize(
    "wrong",
    [{"n_views": -1}, {"n_views": 1.5}, {"snapshots": 1}, {"seed": -1}, {"mean": "weighted"}],
)
def test_params_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        PredictViewsParams.model_validate({**PARAMS.model_dump(), **wrong})
