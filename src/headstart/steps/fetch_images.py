"""Check the files of a source, and pass them on to be copied."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from headstart.core.report import Report
from headstart.store.image_sources import ImagesSource, PackageImages, tree_digest
from headstart.store.images import Tree
from headstart.store.sources import SourceError


def fetch_images(
    tree: Tree, source: ImagesSource, n_free_bytes: int, report: Report
) -> Iterator[tuple[str, Path]]:
    """Yield (path relative to the source, file) of each file, checking what is known of them.

    Args:
        tree: the files found in the source.
        source: what the source says about itself.
        n_free_bytes: room where they are to be copied.
        report: shown while copying.

    Raises:
        SourceError: there is no file, not room enough, or a package's files are not those that its
            description promises (the last is raised after the last file).
    """
    if not tree.sizes:
        raise SourceError(f"dataset.source: {tree.root} holds no files.")
    if tree.n_bytes > n_free_bytes:
        raise SourceError(
            f"dataset.source: the {len(tree.sizes)} files of {tree.root} need {_mb(tree.n_bytes)} "
            f"({tree.n_bytes} bytes), but only {_mb(n_free_bytes)} are free here."
        )
    digests = {}
    label = f"copy {_mb(tree.n_bytes)}"
    for path in report.progress(tree.sizes, len(tree.sizes), label):
        file = tree.root / path
        if isinstance(source, PackageImages):
            digests[path] = hashlib.sha256(file.read_bytes()).hexdigest()
        yield path, file
    if isinstance(source, PackageImages):
        expected = (source.n_files, source.n_bytes, source.sha256)
        found = (len(tree.sizes), tree.n_bytes, tree_digest(digests))
        if found != expected:
            raise SourceError(
                f"the pictures of {source.package} {source.version} are not as promised: (files, "
                f"bytes, sha256) are {found}, not {expected}; install the package again."
            )


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
