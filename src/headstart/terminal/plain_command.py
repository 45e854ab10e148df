"""Commands that show an error or a warning as one sentence."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from headstart.project.errors import HeadstartError
from headstart.project.short import printable

TRACEBACK = "HEADSTART_TRACEBACK"  # set to 1 to see the traceback of a HeadstartError too


class PlainCommand(click.Command):
    """A command that shows a HeadstartError as a sentence on stderr, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; every other exception propagates, with its traceback."""
        with one_line_warnings():
            try:
                return super().invoke(ctx)
            except HeadstartError as error:
                if os.environ.get(TRACEBACK, "0") not in ("", "0"):
                    raise
                lines = map(printable, str(error).split("\n"))
                raise click.ClickException("\n".join(lines)) from None


class PlainGroup(PlainCommand, click.Group):
    """A group of commands that show errors in this way."""


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Show each warning as a line on stderr, above any open bar, without its place in the code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        line = f"Warning: {' '.join(str(message).split())}"
        if tqdm := sys.modules.get("tqdm"):
            tqdm.tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)

    shown = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown
