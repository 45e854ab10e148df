"""The files that dvc.lock speaks of, and what it says of them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.project.errors import HeadstartError

LOCK = "dvc.lock"
OUT, CACHED, READ, EXTRA, UNREADABLE = "out", "cached", "read", "extra", "unreadable"
"""Kinds of files: an out; an object of DVC's cache; what a stage reads and no stage wrote; a file that
no stage wrote, in the folder of an out; a source that cannot be compared."""
MISSING = "missing"
"""What is wrong with a file that does not exist."""


@dataclass(frozen=True)
class Claim:
    """That a file has a digest.

    Attributes:
        stage: whose entry of dvc.lock says so; "" for an object of DVC's cache that no entry needs.
        path: of the file, as dvc.lock has it; for an object of the cache, that of its out.
        file: where it lies.
        md5: hex.
        n_bytes: its size; None if dvc.lock does not say it.
        kind: OUT, CACHED or READ.
    """

    stage: str
    path: str
    file: Path
    md5: str
    n_bytes: int | None
    kind: str


@dataclass(frozen=True)
class Problem:
    """A file that is not as dvc.lock says.

    Attributes:
        path: as of a claim.
        what: what is wrong, as a phrase.
        stage: as of a claim.
        kind: OUT, CACHED, READ, EXTRA or UNREADABLE.
        file: where it lies.
    """

    path: str
    what: str
    stage: str
    kind: str
    file: Path


class Project:
    """A DVC project as its dvc.lock describes it.

    Attributes:
        root: the folder that dvc.lock is in.
        stages: name -> entry of dvc.lock.
        cache: the folder of DVC's cache that holds files by their MD5.
    """

    def __init__(self) -> None:
        """The project around the current folder.

        Raises:
            HeadstartError: there is none, or no stage has run in it.
        """
        from dvc.exceptions import NotDvcRepoError
        from dvc.repo import Repo
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            self._repo: Any = Repo()
        except NotDvcRepoError:
            raise HeadstartError(
                f"{Path.cwd()} is in no DVC project: change to the folder of dvc.yaml, or below it."
            ) from None
        self.root, self.cache = Path(self._repo.root_dir), Path(self._repo.cache.local.path)
        lock = self.root / LOCK
        try:
            self.stages: Mapping[str, Any] = YAML(typ="safe").load(lock)["stages"]
        except (FileNotFoundError, YAMLError, UnicodeDecodeError, KeyError, TypeError):
            state = "cannot be read" if lock.exists() else "does not exist"
            raise HeadstartError(
                f"{lock} {state}: run `dvc repro`, or take it from git (`git checkout {LOCK}`)."
            ) from None

    def outs(self) -> Iterator[Claim | Problem]:
        """Yield what dvc.lock says of each file that stages wrote, and of its object in the cache.

        An object that the cache lacks is no problem: the file itself may be whole.
        """
        for stage, entry in self._entries("outs"):
            path, md5 = entry["path"], entry["md5"]
            if not md5.endswith(".dir"):
                yield from self._file(stage, path, md5, entry.get("size"))
                continue
            listed = self._listed(md5)
            if listed is None:
                place = self._object(md5)
                if place.exists():
                    yield Problem(path, "other bytes", stage, CACHED, place)
                yield Claim(stage, path, self.root / path, md5, None, OUT)
                continue
            for name, of_file in listed.items():
                yield from self._file(stage, f"{path}/{name}", of_file, None)
            for file in self.files(self.root / path):
                name = file.relative_to(self.root / path).as_posix()
                if name not in listed:
                    yield Problem(f"{path}/{name}", "no stage wrote it", stage, EXTRA, file)

    def inputs(self) -> Iterator[Claim]:
        """Yield what dvc.lock says of each file and folder that stages read and no stage wrote."""
        made, seen = {entry["path"] for _, entry in self._entries("outs")}, set()
        for stage, entry in self._entries("deps"):
            path, md5 = entry["path"], entry["md5"]
            if path not in made and (path, md5) not in seen:
                seen.add((path, md5))
                yield Claim(stage, path, self.root / path, md5, entry.get("size"), READ)

    def cached(self) -> Iterator[Claim]:
        """Yield that each object of the cache has the digest that it is named by."""
        for file in sorted(self.cache.glob("[0-9a-f][0-9a-f]/*")):
            md5 = f"{file.parent.name}{file.name}"
            if len(md5.removesuffix(".dir")) == 32:
                below = file.is_relative_to(self.root)
                path = str(file.relative_to(self.root) if below else file)
                yield Claim("", path, file, md5.removesuffix(".dir"), None, CACHED)

    def files(self, folder: Path) -> list[Path]:
        """The files below a folder that DVC counts (.dvcignore), sorted by their paths with /."""
        found = self._repo.dvcignore.find(self._repo.fs, str(folder))
        return sorted(map(Path, found), key=lambda file: file.relative_to(folder).as_posix())

    def known(self, file: Path) -> str | None:
        """The digest that DVC knows of a file with this inode, size and time; None if it knows none."""
        _, info = self._repo.state.get(str(file), self._repo.fs)
        return None if info is None else info.value

    def params(self) -> Iterator[Problem]:
        """Yield each section of a params file that differs from what its stage ran with."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        for stage, entry in self.stages.items():
            for path, values in entry.get("params", {}).items():
                try:
                    now = YAML(typ="safe").load(self.root / path)
                except (OSError, YAMLError, UnicodeDecodeError):
                    now = None
                differing = [key for key in values if _at(now, key) != values[key]]
                if differing:
                    what = f"other {', '.join(differing)}"
                    yield Problem(path, what, stage, READ, self.root / path)

    def _entries(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for stage, of_stage in self.stages.items():
            for entry in of_stage.get(kind, []):
                if "md5" in entry:
                    yield stage, entry

    def _file(self, stage: str, path: str, md5: str, n_bytes: int | None) -> Iterator[Claim]:
        yield Claim(stage, path, self.root / path, md5, n_bytes, OUT)
        place = self._object(md5)
        if place.exists():
            yield Claim(stage, path, place, md5, n_bytes, CACHED)

    def _listed(self, md5: str) -> dict[str, str] | None:
        """Path -> digest of each file of a folder, from the cache; None if it has no whole list."""
        try:
            content = self._object(md5).read_bytes()
        except OSError:
            return None
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
            return None
        return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}

    def _object(self, md5: str) -> Path:
        return self.cache / md5[:2] / md5[2:]


def _at(values: Any, key: str) -> Any:
    """The value at a dotted key."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
