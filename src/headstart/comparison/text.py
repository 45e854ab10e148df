"""Two runs side by side on a terminal of 80 columns."""

import textwrap
from collections.abc import Iterator

from headstart.comparison.comparison import Comparison
from headstart.comparison.params import ChangedParam
from headstart.comparison.runs import Run
from headstart.comparison.scores import SCORES, Interval, OwnScore, PairedScore
from headstart.comparison.splits import SplitComparison
from headstart.evaluation.predictions import Kind

WIDTH = 80
N_PARAMS = 12  # that are listed; a page and the JSON have all
KIND: dict[Kind, str] = {"plain": "plain", "tta": "TTA"}


def comparison_text(comparison: Comparison) -> str:
    """Lines of at most WIDTH characters."""
    a, b = comparison.a, comparison.b
    lines = [_cut(f"{x}  {title(run)}", WIDTH) for x, run in (("a", a), ("b", b))]
    lines += [*map(_wrapped, comparison.notes), ""]
    lines += params_lines(comparison.params)
    if comparison.inputs:
        lines.append(_cut(f"code or sources that differ: {inputs_text(comparison)}", WIDTH))
    for of in comparison.splits:
        lines += ["", *split_lines(of)]
    if not comparison.splits:
        lines += ["", "Neither run has labelled pictures of valid or test, so nothing is scored."]
    return "\n".join(lines)


def title(run: Run) -> str:
    """The run's name, and the commit behind it unless that is the name."""
    if not run.commit or run.commit.startswith(run.name):
        return run.commit or run.name
    return f"{run.name} ({run.commit})"


def params_lines(params: list[ChangedParam]) -> Iterator[str]:
    """A table of the params that differ."""
    if not params:
        yield "No param differs."
        return
    shown, rest = params[:N_PARAMS], len(params) - N_PARAMS
    n_key = min(max(len("params that differ"), *(len(change.key) for change in shown)), 42)
    n_value = (WIDTH - n_key - 4) // 2
    rows = [(change.key, *change.texts()) for change in shown]
    for key, *values in [("params that differ", "a", "b"), *rows]:
        cells = [_cut(key, n_key).ljust(n_key), *(_cut(value, n_value) for value in values)]
        yield f"{cells[0]}  {cells[1]:<{n_value}}  {cells[2]}".rstrip()
    if rest > 0:
        yield f"and {rest:,} more: --html and --json show them all"


def inputs_text(comparison: Comparison) -> str:
    """How many paths of code and sources differ, and which."""
    return f"{len(comparison.inputs):,} ({', '.join(comparison.inputs)})"


def split_lines(of: SplitComparison) -> Iterator[str]:
    """Scores and counts of one split."""
    yield f"{of.split}: {paired_pictures(of)}"
    yield from map(_wrapped, of.notes)
    if of.scores:
        yield f"{'':18}{'a':>8} {'b':>8} {'b - a':>9}  95 % interval"
        yield from map(_paired_line, of.scores)
    for score in of.own_scores:
        yield f"{_name(score):<18}{_own(score.a):<28}{_own(score.b)}".rstrip()
    for kind in of.pictures:
        n_a, n_b = (len(of.one_right(kind, which)) for which in ("a", "b"))
        yield (
            f"{'right, ' + KIND[kind]:<18}only a: {n_a:,}, only b: {n_b:,}, "
            f"both: {of.n_both(kind, right=True):,}, neither: {of.n_both(kind, right=False):,}"
        )


def paired_pictures(of: SplitComparison) -> str:
    """How many pictures are compared, and how many each run has where it has others."""
    if of.n_a == of.n_b == of.n:
        return f"{of.n:,} pictures, the same in both"
    return f"{of.n:,} pictures in both (a has {of.n_a:,}, b has {of.n_b:,})"


def _paired_line(score: PairedScore) -> str:
    found = score.difference
    interval = f"{found.low:+.4f} to {found.high:+.4f}"
    return (
        f"{_name(score):<18}{score.a:8.4f} {score.b:8.4f} {found.value:+9.4f}  {interval:<19} "
        f"{score.verdict}"
    )


def _own(value: Interval | None) -> str:
    if value is None:
        return "-"
    return f"{value[0]:.4f} ({value[1]:.4f} to {value[2]:.4f})"


def _name(score: PairedScore | OwnScore) -> str:
    return f"{SCORES[score.key]}, {KIND[score.kind]}"


def _wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, WIDTH)


def _cut(text: str, n: int) -> str:
    return text if len(text) <= n else f"{text[: n - 3]}..."
