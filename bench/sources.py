"""How fast pictures come in from a web server on this machine, in each form that a store may have.

python -m bench.sources --pictures FOLDER [--n 2000]
"""

import io
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq

from headstart.fetching.remote_images import list_pictures, open_images
from headstart.fetching.remote_sources import RemoteImages
from headstart.image_files.image_folder import write_images
from headstart.image_files.tree import list_tree
from headstart.project.report import Silent
from headstart.steps.fetch_images import fetch_images

N_A_SHARD = 500  # pictures


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which a folder is served until the block ends."""
    handler = partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def write_forms(pictures: list[Path], folder: Path) -> None:
    """The pictures as files, as WebDataset shards and as Parquet, below a folder each."""
    for form in ("files", "webdataset", "parquet"):
        (folder / form).mkdir(parents=True)
    for start in range(0, len(pictures), N_A_SHARD):
        of_shard = pictures[start : start + N_A_SHARD]
        name = f"train-{start // N_A_SHARD:05}"
        with tarfile.open(folder / f"webdataset/{name}.tar", "w") as tar:
            for i, file in enumerate(of_shard):
                for suffix, data in (
                    ("jpg", file.read_bytes()),
                    ("txt", file.parent.name.encode()),
                ):
                    about = tarfile.TarInfo(f"{start + i:08}.{suffix}")
                    about.size = len(data)
                    tar.addfile(about, io.BytesIO(data))
        rows = [{"bytes": file.read_bytes(), "path": file.name} for file in of_shard]
        image = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
        table = pa.table({"image": image, "label": [file.parent.name for file in of_shard]})
        pq.write_table(table, folder / f"parquet/{name}.parquet", row_group_size=100)
        for i, file in enumerate(of_shard):
            shutil.copyfile(file, folder / f"files/{start + i:08}.jpg")


def seconds(source: RemoteImages, out: Path) -> tuple[float, float, int]:
    """Seconds to fetch, and to list and copy; and the number of pictures."""
    start = time.perf_counter()
    with open_images(source, Silent(), keep=True) as folder:
        fetched = time.perf_counter()
        tree = list_pictures(source, folder)
        write_images(out, folder, fetch_images(tree, source, 10**12, Silent()), None)
    return fetched - start, time.perf_counter() - fetched, len(tree.sizes)


@click.command(help=__doc__)
@click.option("--pictures", "root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--n", "n_most", default=2000, show_default=True, help="how many of them")
def main(root: Path, n_most: int) -> None:
    suffixes = (".jpg", ".jpeg", ".png")
    names = [name for name in list_tree(root).sizes if name.lower().endswith(suffixes)]
    pictures = [root / name for name in names[:n_most]]
    mb = sum(file.stat().st_size for file in pictures) / 1e6
    print(f"{len(pictures)} pictures, {mb:.1f} MB")
    print("| form | files | fetched, MB/s | listed and copied, MB/s | pictures/s in all |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary, served(Path(temporary, "in")) as url:
        write_forms(pictures, Path(temporary, "in"))
        for form in ("webdataset", "parquet", "files"):
            suffix = {"webdataset": "*.tar", "parquet": "*.parquet", "files": "*.jpg"}[form]
            source = RemoteImages.model_validate(
                {"kind": "remote", "form": form, "files": [{"url": f"{url}/{form}/{suffix}"}]}
            )
            n_files = len(list(Path(temporary, "in", form).iterdir()))
            fetch_s, list_s, n = seconds(source, Path(temporary, "out", form))
            print(f"| {form} | {n_files} | {mb / fetch_s:.0f} | {mb / list_s:.0f} "
                  f"| {n / (fetch_s + list_s):.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
