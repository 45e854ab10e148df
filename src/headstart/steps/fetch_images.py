"""Check the files of a source, and list them with their digests and forms."""

import hashlib
from collections.abc import Iterator
from functools import partial

from headstart.fetching.image_sources import ImagesSource, PackageImages, tree_digest
from headstart.image_files.forms import HEAD_BYTES, form_of
from headstart.image_files.image_folder import ListedFile
from headstart.image_files.tree import Tree
from headstart.project.located import SourceError
from headstart.project.report import Report
from headstart.project.workers import in_order


def fetch_images(
    tree: Tree, source: ImagesSource, n_free_bytes: int | None, report: Report
) -> Iterator[ListedFile]:
    """Yield each file of a source with its digest and its form, sorted by path.

    Args:
        tree: the files found in the source.
        source: the description of the source (sources/*.yaml).
        n_free_bytes: free bytes where the files will be copied; None: they stay where they are.
        report: shows progress while reading.

    Raises:
        SourceError: there is no file, too little room, a file that cannot be read, or one that
            changes meanwhile. Raised after the last file: the files of a package are not those that
            its description promises.
    """
    if not tree.sizes:
        raise SourceError(f"dataset.source: {tree.root} holds no files.")
    if n_free_bytes is not None and tree.n_bytes > n_free_bytes:
        raise SourceError(
            f"dataset.source: the {len(tree.sizes)} files of {tree.root} need {_mb(tree.n_bytes)} "
            f"({tree.n_bytes} bytes), but only {_mb(n_free_bytes)} are free here."
        )
    digests = {}
    label = f"{'read' if n_free_bytes is None else 'copy'} {_mb(tree.n_bytes)}"
    listed = in_order(partial(_listed, tree), tree.sizes)
    for file in report.progress(listed, len(tree.sizes), label):
        digests[file.path] = file.sha256
        yield file
    if isinstance(source, PackageImages):
        expected = (source.n_files, source.n_bytes, source.sha256)
        found = (len(tree.sizes), tree.n_bytes, tree_digest(digests))
        if found != expected:
            raise SourceError(
                f"dataset.source: the pictures of {source.package} {source.version} are not as "
                f"described: (files, bytes, sha256) are {found}, not {expected}; install the "
                "package again."
            )


def _listed(tree: Tree, path: str) -> ListedFile:
    """Read the whole file once; compute its digest and tell its form."""
    origin = tree.origin(path)
    try:
        with tree.open(path) as file:
            head = file.read(HEAD_BYTES)
            digest = hashlib.file_digest(file, lambda: hashlib.sha256(head)).hexdigest()
            n_bytes = file.tell()
    except OSError as error:
        raise SourceError(
            f"dataset.source: {origin} cannot be read ({error.strerror}); make it readable, or "
            "remove it from the folder."
        ) from None
    if n_bytes != tree.sizes[path]:
        raise SourceError(
            f"dataset.source: {origin} changed while it was read ({tree.sizes[path]} bytes, then "
            f"{n_bytes}); run again when nothing writes into the folder."
        )
    return ListedFile(path, origin, n_bytes, digest, form_of(head), tree.places.get(path))


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
