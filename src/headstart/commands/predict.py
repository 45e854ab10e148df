"""`headstart predict`: classify pictures at a terminal."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from headstart.commands.named_pictures import NamedPicture
    from headstart.commands.prediction_outputs import Output, Result
    from headstart.use.classifier import Classifier

T = TypeVar("T")

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)  # a bad one is reported while the others are predicted
OUT = click.Path(path_type=Path, dir_okay=False)
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
@click.option("-0", "--null", "by_nul", is_flag=True, help="the paths on stdin end in NUL")
def predict(
    model: Path,
    paths: tuple[Path, ...],
    as_json: bool,
    csv: Path | None,
    parquet: Path | None,
    unsure: float | None,
    by_nul: bool,
) -> None:
    """Classify the pictures at each PATH by the fine-tuned network in MODEL.

    A PATH is a picture, a folder (with all folders below it), an archive of pictures (.zip, .tar,
    .tgz), or - for a list of paths on stdin, one a line. In folders and archives a file's content says
    whether it is a picture.

    A terminal shows the three likeliest classes of each picture, and a pipe gets CSV with all. Where a
    picture may have several labels, these are the labels that reach the thresholds in MODEL.

    Each file is stored, decoded and cropped like the pipeline's own pictures, so the probabilities are
    the same as in the pipeline (the plain ones, without test-time augmentation). A file that cannot be
    read is named on stderr and left out. The others are predicted, and the exit status is 1.

    \b
    headstart predict data/4_checkpoints/model.safetensors photo.jpg holiday/ more.zip
    headstart predict data/4_checkpoints/model.safetensors holiday --unsure 0.6
    find . -newer last -print0 | headstart predict model.safetensors -0 - --csv new.csv
    """
    from headstart.backbone.device import RuntimeParams, prepare
    from headstart.commands.named_pictures import named_pictures
    from headstart.use.classifier import Classifier

    if as_json and csv == STDOUT:
        raise click.UsageError("--json and --csv - both print to stdout: leave out one of them.")
    if parquet == STDOUT:
        raise click.UsageError("--parquet is -, but stdout takes no Parquet: name a file.")
    machine = prepare(RuntimeParams(precision="auto", deterministic=True))
    classifier = Classifier.on(model, machine)
    for sentence in classifier.differences:
        click.echo(sentence, err=True)
    with ExitStack() as lasting:
        named = named_pictures(paths, lasting, b"\0" if by_nul else b"\n")
        outputs = _outputs(classifier, named, (as_json, csv, parquet), lasting)
        results: Iterable[Result] = _results(classifier, named)
        n_read = n_written = 0
        if unsure is not None:
            every = list(results)
            n_read = len(every)
            least_sure = sorted(every, key=lambda result: result.probabilities.max())
            results = [r for r in least_sure if r.probabilities.max() < unsure]
        for batch in _batches(results, classifier.batch_size):
            for output in outputs:
                output.write(batch)
            n_written += len(batch)
    if unsure is None:
        n_read = n_written
    else:
        click.echo(f"{n_written} of {n_read} pictures are below {unsure:g}.", err=True)
    for path in (csv, parquet):
        if path not in (None, STDOUT) and not as_json and csv != STDOUT:
            click.echo(f"{path}: {n_written} pictures")
    if n_read < len(named):
        click.echo(f"{len(named) - n_read} of {len(named)} files were left out.", err=True)
        sys.exit(1)


def _outputs(
    classifier: "Classifier",
    named: "Sequence[NamedPicture]",
    wanted: tuple[bool, Path | None, Path | None],
    lasting: ExitStack,
) -> "list[Output]":
    """The outputs that the options ask for; files appear when `lasting` closes without an error.

    Args:
        classifier: whose results they show.
        named: the pictures that will come.
        wanted: --json, --csv and --parquet.
        lasting: closes them.
    """
    from headstart.commands.prediction_outputs import Csv, Table, csv_file, json_list, parquet_file

    as_json, csv, parquet = wanted
    outputs: list[Output] = []
    if as_json:
        outputs.append(lasting.enter_context(json_list(classifier)))
    elif csv == STDOUT or not (csv or parquet or _on_terminal()):
        outputs.append(Csv(classifier, None))
    elif not (csv or parquet):
        outputs.append(Table(classifier, [_shown(one) for one in named]))
    if csv and csv != STDOUT:
        outputs.append(_opened(csv, csv_file(classifier, csv), lasting))
    if parquet:
        outputs.append(_opened(parquet, parquet_file(classifier, parquet), lasting))
    return outputs


def _opened(path: Path, output: AbstractContextManager[T], lasting: ExitStack) -> T:
    """Begin a file before the work, so that a path that cannot be written costs no time."""
    try:
        return lasting.enter_context(output)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None


def _results(classifier: "Classifier", named: "Sequence[NamedPicture]") -> "Iterator[Result]":
    """The prediction of each path that is a picture; every other path is named on stderr."""
    from tqdm import tqdm

    from headstart.commands.prediction_outputs import Result

    files = [one.file for one in named if not one.problem]
    predictions = classifier.each(files)
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
                with tqdm.external_write_mode():
                    click.echo(unreadable(_shown(one), problem), err=True)
            else:
                yield Result(_shown(one), said.probabilities)


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
