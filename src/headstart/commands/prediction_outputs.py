"""The forms in which `headstart predict` gives its results: table, JSON, CSV and Parquet."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

import click

from headstart.commands.output_place import output_place

if TYPE_CHECKING:
    import pyarrow as pa

    from headstart.explaining.heat_maps import Heat
    from headstart.use.classifier import Classifier
    from headstart.use.decisions import Floats

N_TOP = 3  # classes in the table
GAP = "  "
SEPARATORS = (";", "|", ",")  # those that index_images.label_separator knows, beside a space


class Result(NamedTuple):
    """The prediction of one picture.

    Attributes:
        name: as it is shown.
        probabilities: (K,) of the classes.
        file: where the picture lies.
        heat: where the network saw each label that is decided; empty where it was not asked.
    """

    name: str
    probabilities: "Floats"
    file: Path = Path()
    heat: "Mapping[str, Heat]" = MappingProxyType({})


class Output(Protocol):
    """Takes the results, a batch at a time."""

    def write(self, results: Sequence[Result]) -> None:
        """Take the results of a batch."""
        ...


class Table:
    """Aligned columns on stdout: the picture, and its likeliest classes or its labels.

    Where costs decide, the class that they decide for stands first.
    """

    def __init__(self, classifier: "Classifier", names: Iterable[str]) -> None:
        """Print the head.

        Args:
            classifier: decides the labels.
            names: of all pictures that will come, for the width of the first column.
        """
        self._classifier = classifier
        self._picture_wide = max([len("picture"), *map(len, names)])
        self._class_wide = max(map(len, classifier.classes)) + len(" 0.000")
        n_top = min(N_TOP, len(classifier.classes))
        heads = ["1st", "2nd", "3rd"][:n_top] if classifier.decided == "class" else ["labels"]
        if classifier.info.costs:
            heads.insert(0, "decided")
        _tell(self._line("picture", heads))

    def write(self, results: Sequence[Result]) -> None:
        """Print a line a picture."""
        _tell("".join(self._line(name, self._cells(row)) for name, row, *_ in results))

    def _cells(self, row: "Floats") -> list[str]:
        of = self._classifier
        likeliest = of.likeliest(row, len(of.classes))
        if of.decided == "class":
            decided = of.labels(row) if of.info.costs else []
            return [*decided, *(f"{name} {p:.3f}" for name, p in likeliest[:N_TOP])]
        reached = set(of.labels(row))
        shown = [f"{name} {p:.3f}" for name, p in likeliest if name in reached]
        name, p = likeliest[0]
        return shown or [f"none (likeliest: {name} {p:.3f})"]

    def _line(self, name: str, cells: Iterable[str]) -> str:
        wide = [name.ljust(self._picture_wide), *(cell.ljust(self._class_wide) for cell in cells)]
        return f"{GAP.join(wide).rstrip()}\n"


class Json:
    """A JSON list on stdout, a picture a line."""

    def __init__(self, classifier: "Classifier") -> None:
        """Print nothing yet."""
        self._classifier, self._before = classifier, "[\n"

    def write(self, results: Sequence[Result]) -> None:
        """Print an object a picture: picture, class or labels, probabilities by class."""
        of = self._classifier
        for name, row, *_ in results:
            labels = of.labels(row)
            said = {
                "picture": name,
                of.decided: labels[0] if of.decided == "class" else labels,
                "probabilities": {
                    label: round(float(p), 6) for label, p in zip(of.classes, row, strict=True)
                },
            }
            _tell(f"{self._before}{json.dumps(said, ensure_ascii=False)}")
            self._before = ",\n"

    def end(self) -> None:
        """Print the end."""
        _tell("[]\n" if self._before == "[\n" else "\n]\n")


@contextmanager
def json_list(classifier: "Classifier") -> Iterator[Json]:
    """A JSON list that is complete when the block ends without an error, and then only."""
    printed = Json(classifier)
    yield printed
    printed.end()


def separator_of(classes: Iterable[str]) -> str:
    """What stands between labels in a cell: a space, or the first sign that no class has.

    It is a tab where a class has a space and each of `SEPARATORS` is in some class.
    """
    names = list(classes)
    if not any(sign.isspace() for name in names for sign in name):
        return " "
    free = (sign for sign in SEPARATORS if not any(sign in name for name in names))
    return next(free, "\t")


class Csv:
    """CSV: the picture, its class or labels (with `separator_of` between), each class's probability."""

    def __init__(self, classifier: "Classifier", file: "io.TextIOBase | None") -> None:
        """Write the head; to stdout if `file` is None."""
        self._classifier, self._file = classifier, file
        self._separator = separator_of(classifier.classes)
        self._write([["picture", classifier.decided, *classifier.classes]])

    def write(self, results: Sequence[Result]) -> None:
        """Write a row a picture."""
        self._write(
            [name, self._separator.join(self._classifier.labels(row)), *(f"{p:.4f}" for p in row)]
            for name, row, *_ in results
        )

    def _write(self, rows: Iterable[Iterable[object]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        if self._file is None:
            _tell(text.getvalue())
        else:
            self._file.write(text.getvalue())


@contextmanager
def csv_file(classifier: "Classifier", path: Path) -> Iterator[Csv]:
    """A CSV file that is written when the block ends without an error (see `output_place`)."""
    with output_place(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        yield Csv(classifier, file)


class Parquet:
    """Collects the columns of a Parquet file: those of the CSV; labels are a list of text."""

    def __init__(self, classifier: "Classifier") -> None:
        """Collect nothing yet."""
        self._classifier, self._results = classifier, list[Result]()

    def write(self, results: Sequence[Result]) -> None:
        """Keep the results of a batch."""
        self._results += results

    def table(self) -> "pa.Table":
        """The columns of all results."""
        import numpy as np
        import pyarrow as pa

        of = self._classifier
        labels = [of.labels(result.probabilities) for result in self._results]
        decided = (
            pa.array([one for (one,) in labels], pa.string())
            if of.decided == "class"
            else pa.array(labels, pa.list_(pa.string()))
        )
        shape = (len(self._results), len(of.classes))  # (N, K), also for N = 0
        values = np.array([result.probabilities for result in self._results], np.float64).reshape(
            shape
        )
        pictures = pa.array([result.name for result in self._results], pa.string())
        classes = [pa.array(column, pa.float64()) for column in values.T]
        names = ["picture", of.decided, *of.classes]
        return pa.table([pictures, decided, *classes], names=names)


@contextmanager
def parquet_file(classifier: "Classifier", path: Path) -> Iterator[Parquet]:
    """A Parquet file that is written when the block ends without an error (see `output_place`)."""
    import pyarrow.parquet as pq

    with output_place(path) as partial:
        partial.touch()
        output = Parquet(classifier)
        yield output
        pq.write_table(output.table(), partial)


def _tell(text: str) -> None:
    """Print to stdout, above an open bar."""
    from tqdm import tqdm

    with tqdm.external_write_mode():
        click.echo(text, nl=False)
