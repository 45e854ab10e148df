"""Commands that show an error or a warning as one sentence."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIG_IGN, SIGTERM, signal
from threading import current_thread, main_thread
from typing import IO, Any

import click

from headstart.project.errors import HeadstartError
from headstart.project.short import printable
from headstart.terminal.processes import LOST, is_watched, leave_to_starter
from headstart.terminal.system_faults import end_in_order, interrupted, sentence_for

TRACEBACK = "HEADSTART_TRACEBACK"  # set to 1 to see the traceback of a HeadstartError too


class Said(click.ClickException):
    """An error that is shown as a sentence, once, also where several processes end with it."""

    def __init__(self, sentence: str, follows_another: bool) -> None:
        """`follows_another`: it follows from the error of another process."""
        super().__init__(sentence)
        self._follows_another = follows_another
        if follows_another:
            self.exit_code = LOST  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        """Show it, or leave it to the process that has started this one."""
        if not is_watched():
            super().show(file)
        elif not self._follows_another:
            leave_to_starter(self.format_message())


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
                if is_watched():
                    signal(SIGTERM, SIG_IGN)  # it comes when all are to end, as this one does
                said = str(error) if isinstance(error, HeadstartError) else sentence_for(error)
                if said is None or os.environ.get(TRACEBACK, "0") not in ("", "0"):
                    raise
                shown = map(printable, said.split("\n"))
                raise Said("\n".join(shown), getattr(error, "follows_another", False)) from None
            except KeyboardInterrupt as error:
                said, status = interrupted(error)
                if not is_watched():  # the process that has started this one says it
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
