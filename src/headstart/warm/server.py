"""A process that has imported the libraries of a stage and forks for each call of `run`.

It imports other people's modules only: a fork reads the project's code anew. It forks before any
operation of torch, with no thread that a fork would miss, and never after a GPU was touched; else it
ends. Between it and each script stands a guard, which passes signals and the exit status on, and kills
the script if its caller was killed.

Run by `run` alone: python server.py SOCKET stage|teller
"""

import atexit
import ctypes
import gc
import importlib.machinery
import importlib.util
import marshal
import os
import runpy
import select
import signal
import socket
import stat
import struct
import sys
import threading
import time
import types
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

LIBRARIES = {
    "stage": (
        # pydantic and pyarrow import these at their first use, which each fork would do anew.
        *("pydantic.main", "pydantic.fields", "pyarrow.dataset"),
        *("click", "ruamel.yaml", "requests", "psutil", "filelock", "tqdm", "jinja2"),
        *("sqlite3", "numpy", "pyarrow.parquet", "pandas", "PIL.Image", "matplotlib.figure"),
        *("torch", "torchvision", "timm", "safetensors.torch"),
    ),
    "teller": (
        *("pydantic", "psutil", "ruamel.yaml", "filelock", "numpy", "pandas", "mlflow"),
        *("mlflow.store.db.utils", "mlflow.store.tracking.sqlalchemy_store"),
        "sqlalchemy.dialects.sqlite",
    ),
}
OURS = "headstart"
IDLE_S = 600.0
LOOK_EVERY_S = 5.0
ANSWER_S = 5.0  # as in run.py
FIT, UNFIT, GO = b"y", b"n", b"\0"
OUTDATED = 3  # the exit status of a guard that found other libraries than the imported ones
PR_SET_PDEATHSIG = 1
TO_GROUP = {
    signal.SIGINT: signal.SIGINT,
    signal.SIGQUIT: signal.SIGQUIT,
    signal.SIGTSTP: signal.SIGSTOP,
    signal.SIGCONT: signal.SIGCONT,
}
"""What a terminal sends to all processes of a command; other signals go to the script alone."""

# pyarrow's jemalloc returns memory by it; its handlers of forks do without it in the fork.
SURVIVING = frozenset({"jemalloc_bg_thd"})

Stamp = tuple[int, ...]


class Call(NamedTuple):
    """What a caller wants run: its arguments, folder, variables."""

    arguments: list[str]
    folder: str
    variables: dict[str, str]


def main() -> Call:
    """Serve; return in each fork that has become the process of a call."""
    name, kind = sys.argv[1:]
    del sys.path[0]  # the folder of this file
    folders = _stamps(sys.path)
    # As in tracking.start: OpenMP reads it once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    declared = _import_libraries(kind)
    stamps = _stamps([*sys.path, *_imported_files()])
    if trouble := _trouble() or (_stamps(sys.path) != folders and "packages have changed"):
        sys.exit(f"no process is kept: {trouble}")
    gc.collect()
    gc.freeze()  # pages stay shared
    call = _serve(name, stamps)
    if declared is not None:
        declared._destroy()  # the stage's own code declares them
    return call


def _import_libraries(kind: str) -> Any:
    """Import them; one that is missing or broken fails in the stage, which says so better.

    Returns:
        what declares the operators of a torchvision that was built for another torch, or None.
    """
    declared = None
    for library in LIBRARIES[kind]:
        with suppress(Exception):
            if library == "torchvision":
                declared = _declare_missing()
            importlib.import_module(library)
    return declared


def _declare_missing() -> Any:
    """As backbone.torchvision_ops, which tells why."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    folder = next(iter(spec.submodule_search_locations or []), "") if spec else ""
    try:
        for file in os.listdir(folder) if folder else []:
            if file.startswith("_C") and file.endswith(".so"):
                torch.ops.load_library(f"{folder}/{file}")  # type: ignore[no-untyped-call]
        return None
    except OSError:
        declared = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            declared.define(f"{name}{schema}")  # type: ignore[no-untyped-call]
        return declared


def _trouble() -> str:
    """What makes a fork of this process differ from a new one; "" for nothing."""
    # OpenBLAS ends its threads at a fork, here and in the fork, and starts new ones where it is used.
    if (trial := os.fork()) == 0:
        os._exit(0)
    os.waitpid(trial, 0)
    threads = [_text(f"/proc/self/task/{each}/comm") for each in os.listdir("/proc/self/task")]
    if others := set(threads[1:]) - SURVIVING:
        return f"a library has started the threads {', '.join(sorted(others))}"
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        return "a library has started CUDA"
    if any(name.split(".")[0] == OURS for name in sys.modules):
        return f"a library has imported {OURS}"
    return ""


def _imported_files() -> set[str]:
    """The files of all modules, and of all libraries that are mapped into memory."""
    modules = {str(getattr(module, "__file__", "") or "") for module in sys.modules.values()}
    maps = _text("/proc/self/maps").split("\n")
    mapped = {line.split(maxsplit=5)[-1] for line in maps if "/" in line}
    return {path for path in modules | mapped if path.startswith("/") and path != __file__}


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read().rstrip("\n")


def _stamps(paths: Any) -> dict[str, Stamp | None]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> Stamp | None:
    """What differs after the file is written, or something is installed into the folder."""
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            return found.st_ino, found.st_size, found.st_mtime_ns
        # A folder's own time also moves when Python adds the first compiled module of a fresh install.
        with os.scandir(path) as entries:
            kept = [entry for entry in entries if entry.name != "__pycache__"]
            return found.st_ino, hash(frozenset(_entry(each) for each in kept))
    except OSError:
        return None


def _entry(entry: "os.DirEntry[str]") -> tuple[str, int, int]:
    # A package's folder also gets a `__pycache__`; a package that is installed anew gets a new folder.
    times = 0 if entry.is_dir() else entry.stat(follow_symlinks=False).st_mtime_ns
    return entry.name, entry.inode(), times


def _serve(name: str, stamps: dict[str, Stamp | None]) -> Call:
    with suppress(FileNotFoundError):
        os.unlink(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(name)
    own = os.stat(name).st_ino
    listening.listen(64)
    listening.settimeout(LOOK_EVERY_S)
    os.ftruncate(1, 0)  # its log is empty: it has started
    guards: set[int] = set()
    busy_at = time.monotonic()
    while True:
        try:
            connection: socket.socket | None = listening.accept()[0]
        except TimeoutError:
            connection = None
        if connection is not None:
            guard = os.fork()
            if guard == 0:
                listening.close()
                return _guard(connection, stamps)
            connection.close()
            guards.add(guard)
        ended = {guard: status for guard in guards if (status := _ended(guard)) is not None}
        guards -= ended.keys()
        if guards or ended or connection is not None:
            busy_at = time.monotonic()
        replaced = (_stamp(name) or (0, 0, 0))[0] != own
        outdated = OUTDATED in ended.values()
        if replaced or outdated or time.monotonic() - busy_at > IDLE_S:
            if not replaced:
                os.unlink(name)
            os._exit(0)


def _ended(guard: int) -> int | None:
    pid, status = os.waitpid(guard, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def _guard(connection: socket.socket, stamps: dict[str, Stamp | None]) -> Call:
    """Fork the process of one call, in which this returns, and wait for its end or its caller's."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for place in (0, 1, 2):  # the log is the server's alone, as it is its lock
        os.dup2(nothing, place)
    os.close(nothing)
    connection.settimeout(ANSWER_S)
    try:
        call, files = _received(connection)
        if _stamps(stamps) != stamps:
            connection.sendall(UNFIT)
            os._exit(OUTDATED)
        if _is_shadowed(call):
            connection.sendall(UNFIT)
            os._exit(0)
        connection.sendall(FIT)
        if connection.recv(1) != GO:
            os._exit(0)
    except (OSError, ValueError, EOFError, TypeError):  # the caller has given up
        os._exit(0)
    guard = os.getpid()
    script = os.fork()
    if script == 0:
        connection.close()
        _become(call, files, guard)
        return call
    for file in files:
        os.close(file)
    _watch(connection, script)


def _received(connection: socket.socket) -> tuple[Call, list[int]]:
    uid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    if uid != os.getuid():
        raise PermissionError("another user calls")
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    wanted, content = struct.unpack("=Q", size)[0], b""
    while len(content) < wanted:
        if not (more := connection.recv(1 << 20)):
            raise EOFError
        content += more
    return Call(*marshal.loads(content)), files


def _first_folders(call: Call) -> list[str]:
    """The folders that Python searches before the libraries: the script's, then PYTHONPATH."""
    first = call.arguments[0]
    script = "" if first == "-m" else os.path.dirname(os.path.realpath(_in(call.folder, first)))
    listed = call.variables.get("PYTHONPATH", "")
    others = listed.split(os.pathsep) if listed else []
    return [script or call.folder, *(os.path.normpath(_in(call.folder, each)) for each in others)]


def _in(folder: str, path: str) -> str:
    return os.path.join(folder, path) if path else folder


def _is_shadowed(call: Call) -> bool:
    """Whether plain python would find another module than an imported one, or customise itself."""
    imported = {name.split(".")[0] for name in sys.modules} - {"__main__"}
    imported |= {"sitecustomize", "usercustomize"}
    endings = ("", *importlib.machinery.all_suffixes())  # "": a package; mlflow.db hides nothing
    hiding = {f"{name}{ending}" for name in imported for ending in endings}
    for folder in _first_folders(call):
        with suppress(OSError):
            if not hiding.isdisjoint(os.listdir(folder)):
                return True
    return False


def _become(call: Call, files: list[int], guard: int) -> None:
    """Make this process what plain python would be before the first line of the script."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(137)
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(call.folder)
    os.environ.clear()
    os.environ.update(call.variables)
    sys.path[:0] = _first_folders(call)
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(line_buffering=stream.isatty())  # type: ignore[union-attr]
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # as each new process has another state


def _watch(connection: socket.socket, script: int) -> NoReturn:
    connection.settimeout(None)
    ending = os.pidfd_open(script)
    status = None
    while status is None:
        ready = select.select([connection.fileno(), ending], [], [])[0]
        if ending in ready:
            status = os.waitstatus_to_exitcode(os.waitpid(script, 0)[1])
            break
        try:
            sent = connection.recv(1)
        except OSError:
            sent = b""
        if not sent:  # the caller was killed
            os.kill(script, signal.SIGKILL)
            os.waitpid(script, 0)
            os._exit(0)
        if sent[0] in TO_GROUP:
            os.killpg(script, TO_GROUP[signal.Signals(sent[0])])
        else:
            os.kill(script, sent[0])
    with suppress(OSError):
        connection.sendall(bytes([status, 0] if status >= 0 else [128 - status, -status]))
    os._exit(0)


def _main_module(script: str) -> tuple[types.ModuleType, Any]:
    """A new `__main__`, and the code of the script; the module's own way for `-m` has no code."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    path = os.path.abspath(script)
    module.__file__ = path
    module.__dict__["__cached__"] = None
    module.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    with open(path, "rb") as file:
        return module, compile(file.read(), path, "exec")


def _run(call: Call) -> NoReturn:
    """Run the script, and end as plain python does, but leave its thousands of modules as they are.

    To clear them would first copy the pages that are shared, which takes longer than many scripts.
    """
    sys.argv[:] = call.arguments
    status = 0
    try:
        try:
            if call.arguments[0] == "-m":
                sys.modules["__main__"] = types.ModuleType("__main__")
                module_name = sys.argv.pop(1)  # plain python leaves it out of the arguments too
                runpy._run_module_as_main(module_name)  # type: ignore[attr-defined]
            else:
                module, code = _main_module(call.arguments[0])
                exec(code, module.__dict__)
        finally:
            threading._shutdown()  # type: ignore[attr-defined]
    except SystemExit as end:
        status = _status(end.code)
    except BaseException as error:
        trace = error.__traceback__  # as plain python shows it, so without this file
        while trace and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        status = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        status = status or 120
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _status(code: Any) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    _run(main())
