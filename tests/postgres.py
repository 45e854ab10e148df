"""Postgres as a process of a test's own, with a password, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mlflow_server import free_port

PASSWORD = "p0stgres"
START_S = 120.0  # of a busy machine


def program(name: str) -> Path | None:
    """The path of one of Postgres's programs; Debian keeps them out of PATH."""
    found = shutil.which(name)
    here = [Path(found)] if found else sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return here[-1] if here else None


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server until the block ends; yield the address of its empty database `mlflow`.

    Postgres refuses root, so root runs it as the user `postgres`.
    """
    initdb, server, createdb = (str(program(name)) for name in ("initdb", "postgres", "createdb"))
    user = "postgres" if os.getuid() == 0 else None
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), str(free_port())
    password = folder / "password"
    password.write_text(PASSWORD)
    if user:
        for path in (folder, password):
            shutil.chown(path, user)
    data = str(folder / "data")
    try:
        subprocess.run(
            [initdb, "-D", data, "-U", "mlflow", "--auth=scram-sha-256", "--pwfile", str(password)],
            user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [server, "-D", data, "-p", port, "-h", "127.0.0.1", "-k", str(folder)],
                user=user, cwd=folder, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            made = [createdb, "-h", "127.0.0.1", "-p", port, "-U", "mlflow", "mlflow"]
            until = time.monotonic() + START_S
            while subprocess.run(
                made, env=os.environ | {"PGPASSWORD": PASSWORD}, capture_output=True, check=False
            ).returncode:
                assert time.monotonic() < until and process.poll() is None, (
                    folder / "log"
                ).read_text()
                time.sleep(0.2)
            yield f"postgresql://mlflow:{PASSWORD}@127.0.0.1:{port}/mlflow"
        finally:
            process.terminate()  # ends connections too once they are idle
            process.wait()
    finally:
        shutil.rmtree(folder)
