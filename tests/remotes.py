"""Servers on this machine for a remote of DVC: S3 by moto, ssh by asyncssh."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

LIMIT_S = 120
SSH = """
import asyncio, asyncssh, sys

class Anyone(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False  # nobody has to prove who they are

async def serve(port, root):
    key = asyncssh.generate_private_key("ssh-ed25519")
    await asyncssh.listen(
        "127.0.0.1", port, server_factory=Anyone, server_host_keys=[key],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=root.encode()),
    )
    await asyncio.Event().wait()

asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
"""


class Remote(NamedTuple):
    """A remote as `dvc remote` takes it.

    Attributes:
        url: its address.
        config: name -> value of its settings.
        environment: what a process needs that uses it.
    """

    url: str
    config: Mapping[str, str]
    environment: Mapping[str, str]


@contextmanager
def s3_remote(folder: Path) -> Iterator[Remote]:
    """A bucket that moto serves."""
    import boto3

    with _served(folder, "-m", "moto.server", "-p") as port:
        endpoint = f"http://127.0.0.1:{port}"
        keys = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret"}
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1",
            aws_access_key_id="someone", aws_secret_access_key="secret",
        )  # fmt: skip
        client.create_bucket(Bucket="team")
        region = {"AWS_DEFAULT_REGION": "us-east-1"}
        yield Remote("s3://team/results", {"endpointurl": endpoint}, keys | region)


@contextmanager
def ssh_remote(folder: Path) -> Iterator[Remote]:
    """A folder behind ssh."""
    root = folder / "ssh"
    root.mkdir()
    with _served(folder, "-c", SSH, after=(str(root),)) as port:
        yield Remote(f"ssh://someone@127.0.0.1:{port}/results", {"password": "any"}, {})


@contextmanager
def _served(folder: Path, *command: str, after: tuple[str, ...] = ()) -> Iterator[int]:
    """The port at which `python COMMAND PORT AFTER` answers; its output goes to a file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, *command, str(port), *after],
            stdout=log, stderr=log, cwd=folder, env=os.environ,
        ) as server,
    ):  # fmt: skip
        try:
            for _ in range(10 * LIMIT_S):
                assert server.poll() is None, (folder / "server.log").read_text()
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()
