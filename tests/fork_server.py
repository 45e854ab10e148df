"""Runs the stage scripts of a test's projects as forks of one process that has imported torch.

A stage takes seconds to import its libraries, and a test of many pipelines runs thousands of stages.
`dvc repro` finds `python` in a folder that comes first on its PATH. That `python` hands its arguments,
environment, folder and files to the server, waits, and ends with the same status. The server has
imported libraries alone, so the code of the project is read anew by each stage.

Run: python -m tests.fork_server SOCKET     (until its stdin ends)
"""

import atexit
import gc
import importlib
import importlib.util
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

LIBRARIES = (
    *("torch", "torch._dynamo", "timm", "numpy", "pandas", "pyarrow.parquet", "scipy.stats"),
    *("scipy.optimize", "scipy.special", "sklearn.metrics", "PIL.Image", "pydantic", "click"),
    *("ruamel.yaml", "safetensors.torch", "matplotlib.figure", "jinja2", "tqdm", "filelock"),
)
SHIM = Path(__file__).parents[1] / "src/headstart/backbone/torchvision_ops.py"
CLIENT = """#!{python} -SE
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(call).to_bytes(8, "little")], [0, 1, 2])
server.sendall(call)
status = server.recv(1)
sys.exit(status[0] if status else 1)
"""


@contextmanager
def forked_python() -> Iterator[Path]:
    """A folder for the front of PATH, whose `python` runs scripts in forks of a server."""
    with TemporaryDirectory() as name:
        folder, address = Path(name), str(Path(name, "socket"))
        client = folder / "python"
        client.write_text(CLIENT.format(python=sys.executable, address=address))
        client.chmod(0o755)
        command = [sys.executable, "-m", "tests.fork_server", address]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        pipe = subprocess.PIPE
        root = Path(__file__).parents[1]
        with subprocess.Popen(
            command, cwd=root, env=environment, stdin=pipe, stdout=pipe, text=True
        ) as server:
            assert server.stdin and server.stdout
            assert server.stdout.readline() == "ready\n"
            try:
                yield folder
            finally:
                server.stdin.close()


def serve(address: str) -> None:
    """Import the libraries, then fork for each call."""
    spec = importlib.util.spec_from_file_location("shim", SHIM)
    assert spec and spec.loader
    shim = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shim)
    declared = shim.declare_missing()
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        Thread(target=_end_with_stdin, daemon=True).start()
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                if declared is not None:
                    declared._destroy()  # the stage's own code declares them
                _run(connection)
            connection.close()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


def _run(connection: socket.socket) -> None:
    """In a fork: be the process that the call asks for, tell its status, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, fds, _, _ = socket.recv_fds(connection, 8, 3)
    call = b""
    while len(call) < int.from_bytes(size, "little"):
        call += connection.recv(1 << 20)
    words, folder, environment = json.loads(call)
    script, *arguments = words[2:] if words[0] == "-SE" else words  # as `warm.run` would run it
    for place, file in enumerate(fds):
        os.dup2(file, place)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    Thread(target=_die_with, args=(connection,), daemon=True).start()
    sys.argv = [script, *arguments]
    sys.path[0:1] = [str(Path(script).parent), *environment.get("PYTHONPATH", "").split(":")]
    status = 1
    try:
        runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([status]))
        os._exit(status)


def _die_with(client: socket.socket) -> None:
    """In a fork: be killed when the client is, as a stage that DVC started itself would be."""
    if not client.recv(1):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(sys.argv[1])
