"""What the system refuses (a full disk, a missing permission, an interruption), as one sentence."""

import errno
import signal

_KEPT = "what is finished is kept."
_REMEDIES = {
    errno.ENOSPC: "Free some space (`dvc gc --workspace` and deleting .headstart/work help).",
    errno.EDQUOT: "Free some of your quota (`dvc gc --workspace` and deleting .headstart/work help).",
    errno.EFBIG: "Allow larger files (ulimit -f).",
    errno.EROFS: "Make its file system writable, or work in a copy of the project elsewhere.",
    errno.EACCES: "Give yourself the permission (ls -l shows who has it).",
    errno.EPERM: "Give yourself the permission (ls -l shows who has it).",
    errno.EIO: "Its disk or network drive does not answer: check it, or copy the file elsewhere.",
    errno.ESTALE: "Its network drive was mounted anew: check it.",
    errno.EMFILE: "Allow more open files (ulimit -n).",
    errno.ENFILE: "Other programs have too many files open: end some.",
    errno.ENOENT: "`dvc repro` makes the results of stages; bring any other file back.",
    errno.ENAMETOOLONG: "Give it a shorter name.",
}


def sentence_for(error: OSError) -> str | None:
    """What the system refused, for which file, and the remedy.

    A missing file counts only if it is named: it may have vanished while it was read.

    Returns:
        the sentences; None: the system refused nothing that a person could mend, so the fault is ours.
    """
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None or (error.errno == errno.ENOENT and error.filename is None):
        return None
    what = (error.strerror or str(error)).lower()
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{what}. {remedy} Then run the command again; {_KEPT}"


class Terminated(KeyboardInterrupt):
    """The system asked the process to end (SIGTERM)."""


def end_in_order() -> None:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that nothing partial stays.

    A second SIGTERM ends the process at once. Only the main thread may call it.
    """

    def handler(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, handler)


def interrupted(error: KeyboardInterrupt) -> tuple[str, int]:
    """What to say after Ctrl-C or SIGTERM, and the exit status that shells expect."""
    by = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
    return f"Interrupted by {by.name}. Run the command again to go on; {_KEPT}", 128 + by
