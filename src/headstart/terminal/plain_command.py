"""Commands that show an error or a warning as one sentence."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

import click

from headstart.project.errors import HeadstartError
from headstart.project.short import printable
from headstart.terminal.system_faults import end_in_order, interrupted, sentence_for

TRACEBACK = "HEADSTART_TRACEBACK"  # set to 1 to see the traceback of a HeadstartError too


class PlainCommand(click.Command):
    """A command that shows what a person can mend as a sentence on stderr, with exit status 1.

    That is a HeadstartError, or what the system refused (`system_faults`). Ctrl-C and SIGTERM unwind
    the stack and end it with status 130 and 143.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; every other exception propagates, with its traceback."""
        if current_thread() is main_thread():
            end_in_order()
        with one_line_warnings():
            try:
                return self._run(ctx)
            except (HeadstartError, OSError) as error:
                said = str(error) if isinstance(error, HeadstartError) else sentence_for(error)
                if said is None or os.environ.get(TRACEBACK, "0") not in ("", "0"):
                    raise
                shown = map(printable, said.split("\n"))
                raise click.ClickException("\n".join(shown)) from None
            except KeyboardInterrupt as error:
                said, status = interrupted(error)
                click.echo(said, err=True)
                ctx.exit(status)

    def _run(self, ctx: click.Context) -> Any:
        """Run the command; if a stage of DVC's fails, bring back the outs that DVC has removed."""
        try:
            return super().invoke(ctx)
        except BaseException as error:
            if "DVC_STAGE" in os.environ:
                from headstart.terminal.put_back import after_failure

                if done := after_failure(error):
                    click.echo(done)
                    return None
            raise


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
