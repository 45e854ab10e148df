"""`headstart compare`: two revisions or experiments side by side."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headstart.evaluation.predictions import Kind

HERE = ""  # --html without FILE


@click.command()
@click.argument("a", metavar="REV")
@click.argument("b", metavar="[REV]", default="workspace")
@click.option(
    "--html", "page", is_flag=False, flag_value=HERE, metavar="[FILE]",
    help="Also write a page with the pictures that one of the two gets right and the other wrong. "
    "Without FILE: compare-REV-REV.html in this folder.",
)  # fmt: skip
@click.option(
    "--view", type=click.Choice(["plain", "tta"]), default="plain", show_default=True,
    help="Whose pictures the page shows: what the plain view gets right, or TTA.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def compare(a: str, b: str, page: str | None, view: "Kind", as_json: bool) -> None:
    """Compare two states of the project, a and b, on the pictures that both have labelled.

    REV is a commit, a tag, a branch, an experiment of `dvc exp show`, or `workspace`, which is the
    default of the second.

    A difference is b less a. Its 95 % interval reflects chance in the choice of pictures: both were
    scored on the same ones, so what is hard for both cancels. Where the interval holds 0, the
    difference is "within noise". Chance in the seed of a training is what `headstart seeds` shows.

    Nothing is computed again: the predictions come from the workspace or DVC's cache.

    \b
    headstart compare HEAD                     the last commit, and the workspace
    headstart compare main faint-lamb          a branch, and an experiment
    headstart compare HEAD~1 HEAD --html       also as a page, with the pictures
    headstart compare HEAD --json              for a program
    """
    from headstart.commands.stored_run import read_stored_run
    from headstart.comparison.comparison import compare as compared
    from headstart.comparison.text import comparison_text
    from headstart.tracking.store import project_root

    root = project_root()
    target = None if page is None else page_path(root, page, a, b)
    comparison = compared(read_stored_run(root, a), read_stored_run(root, b))
    if as_json:
        click.echo(json.dumps(comparison.as_json(), indent=2, ensure_ascii=False))
    else:
        click.echo(comparison_text(comparison))
    if target:
        from headstart.commands.stored_pictures import stored_pictures
        from headstart.comparison.page import comparison_page
        from headstart.project.files import write_text

        write_text(target, comparison_page(comparison, view, *stored_pictures(root)))
        click.echo(f"page: {target}", err=as_json)


def page_path(root: Path, page: str, a: str, b: str) -> Path:
    """The file for the page of `a` and `b`.

    Args:
        root: of the project.
        page: as the user gave it; HERE: a name in this folder.
        a: the first revision.
        b: the second one.

    Raises:
        HeadstartError: `page` has another suffix than .html, or belongs to a stage.
    """
    from headstart.commands.revision import digests
    from headstart.project.errors import HeadstartError
    from headstart.project.yaml_file import read_yaml

    names = (re.sub(r"[^\w.-]+", "-", name) for name in (a, b))
    target = Path(page or f"compare-{'-'.join(names)}.html")
    if target.suffix != ".html":
        raise HeadstartError(
            f"--html is {page!r}; it must be a file that ends in .html. For the default name, put "
            "--html behind the revisions."
        )
    lock = root / "dvc.lock"
    outs = digests(read_yaml(lock)["stages"].values(), "outs") if lock.exists() else {}
    for out in map(root.joinpath, outs):
        if target.absolute().is_relative_to(out.absolute()):
            raise HeadstartError(
                f"--html is {page}, which a stage writes, so DVC would remove the page: name another "
                "file."
            )
    return target
