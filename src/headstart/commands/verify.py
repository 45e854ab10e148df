"""`headstart verify`: compares files and DVC's cache with dvc.lock."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from headstart.commands.locked import Problem


@click.command()
@click.option(
    "--deep", is_flag=True, help="Read every byte, also of the inputs and all of the cache."
)
@click.option("--repair", "mend", is_flag=True, help="Remove what is damaged (implies --deep).")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON instead of a table.")
def verify(deep: bool, mend: bool, as_json_: bool) -> None:
    """Check that data/, metrics/ and DVC's cache are as dvc.lock says.

    Without --deep the command trusts what DVC trusts: a file whose inode, size and time are those that
    DVC saw last. It reads all other files, and compares sizes. It takes a second or two.

    With --deep it reads every byte of every result, of everything in DVC's cache, and of what the
    stages read: pictures, weights, code, params. So it finds a bit that has changed on the disk, and an
    edit that kept size and time, which `dvc status` does not see.

    A damaged object of the cache is not healed by `dvc checkout`, because DVC trusts its cache.
    --repair removes damaged objects and damaged results. `dvc repro` then restores a result from a
    whole object, or runs its stage again. Pictures, code and params are never removed. --repair also
    removes dvc.lock, the file of DVC's locks and entries of its run cache, where DVC was killed while
    it wrote them.

    The exit status is 1 if something is not as dvc.lock says, and after --repair if something is left.
    """
    from headstart.commands.half_written import half_written, require_no_conflict
    from headstart.commands.locked import MISSING, OUT, Project
    from headstart.commands.verified import as_json, repair
    from headstart.commands.verified import verify as compare
    from headstart.tracking.store import project_root

    require_no_conflict(project_root())
    if broken := half_written(project_root()):
        _of_half_written(broken, mend)
        return
    project = Project()
    found = compare(project, deep or mend)
    mended = repair(project, found.problems) if mend else []
    if as_json_:
        click.echo(as_json(project, found))
    elif found.problems:
        click.echo(table(found.problems))
    for source in () if as_json_ else found.absent:
        click.echo(f"{source} is not here, so it was not compared.")
    left = [one for one in found.problems if one.file not in mended]
    if mended and all((one.kind, one.what) == (OUT, MISSING) for one in left):
        click.echo(f"{_done(mended)} Now run `dvc repro`.", err=as_json_)
        return
    if found.problems:
        raise click.ClickException(" ".join(_remedies(left, mended, mend)))
    if not as_json_:
        objects = f", and {_n(found.n_objects, 'object')} of DVC's cache as named" if deep else ""
        click.echo(
            f"All {_n(found.n_files, 'file')} of {_n(len(project.stages), 'stage')} are as dvc.lock "
            f"says{objects}."
        )


def _of_half_written(files: Sequence["Path"], mend: bool) -> None:
    """Tell of files that DVC cannot read; remove them if `mend`."""
    names, are = " and ".join(map(str, files)), "are" if len(files) > 1 else "is"
    then = "`dvc repro`, which restores the results from DVC's cache"
    if not mend:
        raise click.ClickException(
            f"{names} {are} half written, as DVC leaves its files when it is killed: run "
            f"`headstart verify --repair`, then {then}."
        )
    for file in files:
        file.rmdir() if file.is_dir() else file.unlink()
    click.echo(f"Removed {names}. Now run {then}.")


def table(problems: Sequence["Problem"]) -> str:
    """A line for each file: its path, and what is wrong with it or with its object in the cache."""
    cached = {one.path: one.what for one in problems if one.kind == "cached" and one.stage}
    own = {one.path: one.what for one in problems if one.kind != "cached" or not one.stage}
    width = max(len(one.path) for one in problems)
    lines = []
    for path in dict.fromkeys(one.path for one in problems):
        what = own.get(path) or f"{cached[path]}, but only in DVC's cache"
        also = ", in DVC's cache too" if path in own and path in cached else ""
        lines.append(f"{path:<{width}}  {what}{also}")
    return "\n".join(lines)


def _done(mended: Sequence["Path"]) -> str:
    """What --repair did to these files and folders."""
    touched = [str(path) for path in mended if path.is_dir()]
    said = []
    if n_removed := len(mended) - len(touched):
        said.append(f"Removed {_n(n_removed, 'file')}.")
    if touched:
        said.append(f"DVC will read {' and '.join(touched)} again.")
    return " ".join(said)


def _remedies(left: Sequence["Problem"], mended: Sequence["Path"], mend: bool) -> Iterator[str]:
    """The sentences that end the command.

    Args:
        left: what is not as dvc.lock says, without what was mended.
        mended: the files and folders that --repair has dealt with.
        mend: whether --repair was asked for.
    """
    from headstart.commands.locked import READ, UNREADABLE

    inputs = [one for one in left if one.kind == READ]
    results = [one for one in left if one.kind not in (READ, UNREADABLE)]
    if mended:
        yield _done(mended)
    if results:
        found = f"{_n(len({one.file for one in results}), 'file')} not as dvc.lock says"
        damaged = not mend and any(one.what != "missing" for one in results)
        first = "`headstart verify --repair`, then " if damaged else ""
        yield f"{found}: run {first}`dvc repro`."
    if inputs:
        yield (
            f"{_n(len(inputs), 'input')} not as the stages read them: `touch` the files, so that DVC "
            "reads them again, then run `dvc repro`."
        )
    if len(inputs) + len(results) < len(left):
        yield "What cannot be read was not compared: its line says what to do."


def _n(n: int, one: str) -> str:
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"
