"""`headstart predict`: classify pictures at a terminal."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from headstart.commands.heat_pictures import HeatPictures
    from headstart.commands.named_pictures import NamedPicture
    from headstart.commands.prediction_outputs import Output, Result
    from headstart.use.classifier import Classifier

T = TypeVar("T")

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)  # a bad one is reported while the others are predicted
OUT = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
STDOUT = Path("-")


@click.command()
@click.argument("model", type=FILE)
@click.argument("paths", type=ANY_PATH, nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="print a JSON list instead of the table")
@click.option("--csv", type=OUT, metavar="FILE", help="write CSV to FILE; - is stdout")
@click.option("--parquet", type=OUT, metavar="FILE", help="write a Parquet table to FILE")
@click.option(
    "--unsure",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="only pictures whose largest probability is below P, the least sure first",
)
@click.option(
    "--explain",
    type=FOLDER,
    metavar="FOLDER",
    help="write each picture under the heat map of its class into FOLDER, as JPEG",
)
@click.option("-0", "--null", "by_nul", is_flag=True, help="the paths on stdin end in NUL")
def predict(
    model: Path,
    paths: tuple[Path, ...],
    as_json: bool,
    csv: Path | None,
    parquet: Path | None,
    unsure: float | None,
    explain: Path | None,
    by_nul: bool,
) -> None:
    """Classify the pictures at each PATH by the fine-tuned network in MODEL.

    A PATH is a picture, a folder (with all folders below it), an archive of pictures (.zip, .tar,
    .tgz), or - for a list of paths on stdin, one a line. In folders and archives a file's content says
    whether it is a picture.

    A terminal shows the three likeliest classes of each picture, and a pipe gets CSV with all. Where a
    picture may have several labels, these are the labels that reach the thresholds in MODEL. Where
    MODEL has costs (tta_evaluate.costs), the class is that of lowest expected cost, in a column of its
    own. In CSV, a picture's labels are separated by spaces or, where a class has a space in its name,
    by the first of ; | , that no class has.

    Each file is stored, decoded and cropped like the pipeline's own pictures, so the probabilities are
    the same as in the pipeline (the plain ones, without test-time augmentation). A file that cannot be
    read is named on stderr and left out. The others are predicted, and the exit status is 1.

    --explain writes one JPEG for each picture, or for each of its labels. Bright places speak most for
    what was decided, clear ones do not, and what the network was not shown is dark.

    \b
    headstart predict data/4_checkpoints/model.safetensors photo.jpg holiday/ more.zip
    headstart predict data/4_checkpoints/model.safetensors holiday --unsure 0.6
    headstart predict data/4_checkpoints/model.safetensors holiday --explain heat
    find . -name '*.jpg' -newer last -print0 | headstart predict model.safetensors -0 - --csv new.csv
    """
    from headstart.backbone.device import RuntimeParams, prepare
    from headstart.commands.heat_pictures import without_heat_maps
    from headstart.commands.named_pictures import named_pictures
    from headstart.commands.output_place import is_stream
    from headstart.use.classifier import Classifier

    wanted = Wanted(as_json, csv, parquet)
    wanted.check()
    machine = prepare(RuntimeParams(precision="auto", deterministic=True))
    classifier = Classifier.on(model, machine)
    for sentence in classifier.differences:
        click.echo(sentence, err=True)
    left_out: list[str] = []
    n = 0
    with ExitStack() as lasting:
        named = named_pictures(paths, lasting, b"\0" if by_nul else b"\n")
        if explain:
            named = without_heat_maps(named, explain)
        outputs = _outputs(classifier, named, wanted, lasting)
        explaining = _heat_pictures(classifier, named, explain) if explain else None
        results: Iterable[Result] = _results(classifier, named, left_out, explain is not None)
        if unsure is not None:
            results = _least_sure(results, unsure)
        for batch in _batches(results, classifier.batch_size):
            for output in outputs:
                output.write(batch)
            if explaining:
                explaining.write(batch)
            n += len(batch)
    if unsure is not None:
        n_read = len(named) - len(left_out)
        click.echo(f"{n} of {n_read} pictures are below {unsure:g}.", err=True)
    if not (wanted.on_stdout or any(map(is_stream, wanted.files))):  # stdout may be among them
        for path in wanted.files:
            click.echo(f"{path}: {n} {'picture' if n == 1 else 'pictures'}")
    if explaining:
        click.echo(explaining.said(), err=True)
    if left_out:
        click.echo(f"{len(left_out)} of {len(named)} files were left out.", err=True)
        sys.exit(1)


class Wanted(NamedTuple):
    """The outputs that the options ask for: --json, --csv and --parquet."""

    as_json: bool
    csv: Path | None
    parquet: Path | None

    @property
    def files(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.csv, self.parquet) if path and path != STDOUT]

    @property
    def on_stdout(self) -> bool:
        """Whether the results go to stdout: if an option says so, or none names a file."""
        return self.as_json or self.csv == STDOUT or not self.files

    def check(self) -> None:
        """Refuse options that contradict each other."""
        if self.as_json and self.csv == STDOUT:
            raise click.UsageError(
                "--json and --csv - both print to stdout: leave out one of them."
            )
        if self.parquet == STDOUT:
            raise click.UsageError("--parquet is -, but stdout takes no Parquet: name a file.")


def _outputs(
    classifier: "Classifier", named: "Sequence[NamedPicture]", wanted: Wanted, lasting: ExitStack
) -> "list[Output]":
    """The outputs for the pictures that will come; files appear when `lasting` closes without error."""
    from headstart.commands.prediction_outputs import Csv, Table, csv_file, json_list, parquet_file

    outputs: list[Output] = []
    if wanted.as_json:
        outputs.append(lasting.enter_context(json_list(classifier)))
    elif wanted.on_stdout:
        table = wanted.csv is None and _on_terminal()
        names = [_shown(one) for one in named]
        outputs.append(Table(classifier, names) if table else Csv(classifier, None))
    if wanted.csv and wanted.csv != STDOUT:
        outputs.append(_opened(wanted.csv, csv_file(classifier, wanted.csv), lasting))
    if wanted.parquet:
        outputs.append(_opened(wanted.parquet, parquet_file(classifier, wanted.parquet), lasting))
    return outputs


def _opened(path: Path, output: AbstractContextManager[T], lasting: ExitStack) -> T:
    """Begin a file before the work, so that a path that cannot be written costs no time."""
    try:
        return lasting.enter_context(output)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None


def _heat_pictures(
    classifier: "Classifier", named: "Sequence[NamedPicture]", folder: Path
) -> "HeatPictures":
    """The output of --explain; its folder is made before the work."""
    from headstart.commands.heat_pictures import HeatPictures

    try:
        return HeatPictures(classifier, folder, [one._replace(name=_shown(one)) for one in named])
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be made: {error.strerror}.") from None


def _results(
    classifier: "Classifier", named: "Sequence[NamedPicture]", left_out: list[str], explain: bool
) -> "Iterator[Result]":
    """The prediction of each path that is a picture; `left_out` and stderr get every other path."""
    from tqdm import tqdm

    from headstart.commands.prediction_outputs import Result

    files = [one.file for one in named if not one.problem]
    predictions = classifier.explained(files) if explain else classifier.each(files)
    hidden = len(files) <= classifier.batch_size or None  # None: where stderr is no terminal
    with tqdm(
        total=len(files), desc="predict", unit=" pictures", leave=False, disable=hidden,
        file=sys.stderr,
    ) as bar:  # fmt: skip
        for one in named:
            problem = one.problem
            if not problem:
                said = next(predictions)
                problem = said.problem
                bar.update()
            if problem:
                left_out.append(_shown(one))
                with tqdm.external_write_mode():
                    click.echo(unreadable(_shown(one), problem), err=True)
            else:
                yield Result(_shown(one), said.probabilities, one.file, said.heat)


def _least_sure(results: "Iterable[Result]", below: float) -> "list[Result]":
    """The results whose largest probability is below a limit, the smallest first."""
    unsure = [result for result in results if result.probabilities.max() < below]
    return sorted(unsure, key=lambda result: result.probabilities.max())


def unreadable(name: str, problem: str) -> str:
    """The sentence about a file that is no picture."""
    return f"{name} cannot be read: {problem.rstrip('.')}."


def _batches(items: Iterable[T], n: int) -> Iterator[list[T]]:
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


def _shown(one: "NamedPicture") -> str:
    return click.format_filename(one.name)


def _on_terminal() -> bool:
    return sys.stdout.isatty()
