"""How DVC's cache and the results in data/ share their bytes on the disk."""

import tempfile
from pathlib import Path

LINKS = "reflink,copy"


def use_reflinks() -> bool:
    """Have DVC clone results in place of hard links, where the file system can (btrfs, XFS, APFS).

    Two clones share their bytes until one of them is written. So each result still lies once on the
    disk, and no write into data/ reaches the cache. The setting goes to .dvc/config.local, which is of
    this clone alone.

    Returns:
        whether the setting was made now: False where there is no project of DVC, where the file system
        has no clones, and where the user has set `cache.type`.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        repo = Repo()
    except NotDvcRepoError:
        return False
    with repo:
        own = [repo.config.read(level) for level in ("system", "global", "local")]
        if any("type" in config.get("cache", {}) for config in own):
            return False
        if not _clones(Path(repo.cache.local.path), Path(repo.root_dir)):
            return False
        with repo.config.edit("local") as config:
            config["cache"]["type"] = LINKS
    return True


def _clones(cache: Path, root: Path) -> bool:
    """Whether a file of the cache can be cloned into the project."""
    from dvc_objects.fs.system import reflink

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as there:
            one = Path(there, "one")
            one.write_bytes(b"x" * 4096)
            with tempfile.TemporaryDirectory(dir=root / ".dvc/tmp") as here:
                reflink(str(one), str(Path(here, "clone")))  # type: ignore[no-untyped-call]
    except (OSError, NotImplementedError):
        return False
    return True
