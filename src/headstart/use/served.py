"""A trained network as MLflow serves it: pictures as bytes in, classes out.

The module that the `MLmodel` file of a logged model names (`tracking.served_model` writes it). It
imports no MLflow, and it travels with the model, together with the rest of the package.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from headstart.use.decisions import Decides, Prediction

    Each = Callable[[Sequence[bytes]], Iterator[Prediction]]

PICTURE = "picture"
"""The column of the input: the content of a picture file."""
TOP_K = "top_k"
"""The param: how many of the likeliest classes are listed."""


class Served:
    """Answers the requests of MLflow, with plain probabilities, calibrated.

    Their last digits depend on how many pictures a request has.

    Args:
        classifier: decides.
        each: yields the prediction of each picture.
    """

    def __init__(self, classifier: "Decides", each: "Each") -> None:
        self._classifier, self._each = classifier, each

    def predict(
        self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None
    ) -> "pd.DataFrame":
        """Classify pictures.

        Args:
            model_input: N rows; column `picture` (bytes).
            params: `top_k`, how many of the likeliest classes to list; K at most, none below 1.

        Returns:
            N rows in the same order. Columns: `class` and its `probability`, or for several labels a
            picture `labels` (list of str: those that reach their thresholds) and their
            probabilities; `top` (list of {"class": str, "probability": float}, the likeliest first);
            `problem` (why a picture cannot be read, else empty). Where there is no picture, class and
            probability are None, labels and top are empty.
        """
        import pandas as pd

        top_k = max(int((params or {}).get(TOP_K, 3)), 0)
        pictures = [one if isinstance(one, bytes) else b"" for one in model_input[PICTURE]]
        said = self._each(pictures)
        names = [self._classifier.decided, "probability", "top", "problem"]
        return pd.DataFrame([self._cells(one, top_k) for one in said], columns=names, dtype=object)

    def _cells(self, said: "Prediction", top_k: int) -> list[object]:
        several = self._classifier.rule.task == "multi_label"
        if said.problem:
            nothing: list[object] = [[], []] if several else [None, None]
            return [*nothing, [], said.problem]
        row, classes = said.probabilities, self._classifier.classes
        decided = self._classifier.labels(row)
        of_decided = [float(row[classes.index(name)]) for name in decided]
        likeliest = self._classifier.likeliest(row, top_k)
        top = [{"class": name, "probability": value} for name, value in likeliest]
        return [*([decided, of_decided] if several else [decided[0], of_decided[0]]), top, ""]


def _load_pyfunc(data_path: str) -> Served:
    """Load the ONNX file or the checkpoint at `data_path`; MLflow calls this by its name."""
    path = Path(data_path)
    if path.suffix == ".onnx":
        from headstart.use.onnx_classifier import OnnxClassifier

        fast = OnnxClassifier.load(path)
        return Served(fast, fast.each)
    from headstart.use.classifier import Classifier

    # most requests are of one picture, which a filled batch would make many times as slow
    network = Classifier.load(path)
    return Served(network, partial(network.each, padded=False))
