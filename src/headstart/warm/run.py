"""Run a script as a fork of a process that has imported the libraries (`server`), or by plain python.

Run: python -SE src/headstart/warm/run.py stages/train_head.py ...    (or -m and a module)
     python -SE src/headstart/warm/run.py --ahead stage                (or teller: only begin it)

The server of one set of surroundings serves only processes with exactly the same. Where anything
speaks against it, and in every doubt, this process becomes plain python. It imports the standard
library alone, and with -SE it starts in hundredths of a second. More: docs/scale.md.
"""

import hashlib
import marshal
import os
import signal
import socket
import stat
import struct
import sys
import time
from contextlib import suppress
from typing import Any

AHEAD = "--ahead"  # followed by a kind: begin its server, run nothing
SWITCH = "HEADSTART_WARM"  # 0: always plain python
# The server knows no others: each of these differs between shells or stages, and no library reads it
# when it is imported. The fork gets all variables of its caller.
OF_A_SHELL = {
    *("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "WINDOWID", "STY", "TMUX", "TMUX_PANE"),
    *("PS1", "PS2", "PS4"),  # bash drops them in the shell of a stage
    *("TERM_SESSION_ID", "XDG_SESSION_ID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"),
    *("SSH_AUTH_SOCK", "INVOCATION_ID", "JOURNAL_STREAM", "PYTHONPATH"),
}
OF_DVC_AND_OURS = ("DVC_", "HEADSTART_")
# Debuggers, profilers and tools that follow a process from its first instruction.
WATCHED = (
    *("PYTHONINSPECT", "PYTHONPROFILEIMPORTTIME", "PYTHONTRACEMALLOC", "COVERAGE_PROCESS"),
    *("PYDEVD", "DEBUGPY", "LD_PRELOAD", "LD_AUDIT", "CUDA_INJECTION", "NSYS_", "ASAN_OPTIONS"),
)
OF_STATUS = (
    *("Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "SigIgn", "SigBlk", "CapInh"),
    *("CapPrm", "CapEff", "CapBnd", "CapAmb", "Cpus_allowed_list", "Mems_allowed_list"),
)
SPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGTSTP", "SIGCONT")
FIT, GO = b"y", b"\0"  # the server's word that it can; then this process's, or nothing is run
ANSWER_S = 5.0  # a server that does not answer by then is left alone
RETRY_S = 600.0  # a server that could not start is not tried again before
MIN_FREE_KB = 2_000_000  # the two servers keep about 500 MB


def main() -> None:
    """Run the script that the arguments name, and end as it ends."""
    arguments = sys.argv[1:]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # Until the script runs there is nothing to tell.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    connection = None
    if arguments[:1] == [AHEAD]:
        return _begin_ahead(arguments[1])
    if not _reasons_against():
        with suppress(OSError, ValueError):
            connection = _connected(arguments)
    if connection is None:
        _become_plain(arguments)
    else:
        _accompany(connection)


def _begin_ahead(kind: str) -> None:
    """Begin the server of that kind, unless there is one, or a fork would not be just the same."""
    if not _reasons_against():
        with suppress(OSError, ValueError):
            _start_server(_name(kind), kind)


def _become_plain(arguments: list[str]) -> None:
    command = [sys.executable, *arguments]
    if sys.platform == "win32":  # a process there cannot become another one
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)


def _reasons_against() -> bool:
    """Whether plain python is asked for, or a fork would not be just the same."""
    if not sys.platform.startswith("linux") or os.environ.get(SWITCH) == "0":
        return True
    if sys.gettrace() or sys.getprofile() or any(name.startswith(WATCHED) for name in os.environ):
        return True
    if not hasattr(os, "pidfd_open") or "TracerPid:\t0\n" not in _text("/proc/self/status"):
        return True
    for name in os.listdir("/proc/self/fd"):  # of open files, only the first three are passed on
        with suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                return True
    return False


def _connected(arguments: list[str]) -> socket.socket | None:
    """A connection whose other end runs the script; None if this process has to.

    Raises:
        OSError: the server is not there, does not answer, or the system refuses something.
    """
    kind = "teller" if arguments[:1] == ["-m"] else "stage"
    name = _name(kind)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_S)
    try:
        connection.connect(name)
    except (FileNotFoundError, ConnectionRefusedError):
        _start_server(name, kind)
        return None
    if peer(connection) != os.getuid():
        return None
    call = marshal.dumps((arguments, os.getcwd(), dict(os.environ)))
    socket.send_fds(connection, [struct.pack("=Q", len(call))], [0, 1, 2])
    connection.sendall(call)
    if connection.recv(1) != FIT:
        return None
    connection.settimeout(None)
    connection.sendall(GO)
    return connection


def peer(connection: socket.socket) -> int:
    """The user id of the process at the other end."""
    _, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    )
    return int(uid)


def _accompany(connection: socket.socket) -> None:
    """Pass signals on, wait for the end of the script, and end in the same way."""

    def pass_on(number: int, _: Any) -> None:
        with suppress(OSError):
            connection.send(bytes([number]))
        if number == signal.SIGTSTP:
            os.kill(os.getpid(), signal.SIGSTOP)

    for name in PASSED_ON:
        number = getattr(signal, name)
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    end = b""
    with suppress(ConnectionResetError):
        while len(end) < 2 and (more := connection.recv(2 - len(end))):
            end += more
    if len(end) < 2:
        os.write(2, b"The process that ran this script was killed.\n")
        os._exit(137)
    status, ended_by = end
    if ended_by:
        signal.signal(ended_by, signal.SIG_DFL) if ended_by != signal.SIGKILL else None
        os.kill(os.getpid(), ended_by)
        time.sleep(1)  # until it arrives
    os._exit(status)


def _name(kind: str) -> str:
    """The socket of the server of that kind that fits this process."""
    return f"{_folder()}/{_surroundings(kind)}"


def _folder() -> str:
    """The folder of the sockets, which only this user can open.

    Raises:
        OSError: it cannot be made, or somebody else has made it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = f"{runtime}/headstart" if runtime else f"/tmp/headstart-{os.getuid()}"
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder of this user alone")
    return folder


def _surroundings(kind: str) -> str:
    """A digest of all that a fork inherits: variables, limits, groups, rights, spaces, code."""
    import resource

    here = os.path.dirname(os.path.abspath(__file__))
    status = [line for line in _text("/proc/self/status").split("\n") if line.startswith(OF_STATUS)]
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    about = (
        kind,
        sys.executable,
        sys.version,
        *(_text(f"{here}/{file}") for file in ("run.py", "server.py")),
        sorted(item for item in os.environ.items() if not _is_left_out(item[0])),
        [resource.getrlimit(getattr(resource, name)) for name in limits],
        [os.readlink(f"/proc/self/ns/{name}") for name in SPACES],
        [_text(f"/proc/self/{name}") for name in ("cgroup", "oom_score_adj")],
        (status, os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)),
    )
    return hashlib.sha256(repr(about).encode(errors="surrogateescape")).hexdigest()[:16]


def _is_left_out(name: str) -> bool:
    return name in OF_A_SHELL or name.startswith(OF_DVC_AND_OURS)


def _start_server(name: str, kind: str) -> None:
    """Start a server beside this process, unless one is starting, could not, or memory is short.

    Its log is also its lock: it is empty while the server serves, and says why if it could not.
    """
    import fcntl

    log = os.open(f"{name}.log", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(log)
        return
    found = os.fstat(log)
    failed = found.st_size > 0 and time.time() - found.st_mtime < RETRY_S
    if failed or _free_kb() < MIN_FREE_KB:
        os.close(log)
        return
    os.ftruncate(log, 0)
    os.write(log, b"starting\n")
    if child := os.fork():
        os.waitpid(child, 0)
        os.close(log)
        return
    try:  # a child of nobody here, in a session of its own
        os.setsid()
        if os.fork():
            os._exit(0)
        nothing = os.open("/dev/null", os.O_RDONLY)
        for place, file in enumerate((nothing, log, log)):
            os.dup2(file, place)
        os.chdir("/")
        server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")
        variables = {k: v for k, v in os.environ.items() if not _is_left_out(k)}
        os.execve(sys.executable, [sys.executable, server, name, kind], variables)
    finally:
        os._exit(1)


def _free_kb() -> int:
    lines = dict(line.split(":", 1) for line in _text("/proc/meminfo").splitlines())
    return int(lines.get("MemAvailable", "0").split()[0])


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    main()
