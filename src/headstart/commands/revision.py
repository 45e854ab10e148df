"""What DVC knows of a revision: its dvc.lock, and the files as dvc.lock tells of them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from headstart.project.errors import HeadstartError
from headstart.use.stage_commands import given

OF_DVC = "dvc: commit experiment"  # begins the message that DVC writes for an experiment


class Revision:
    """The content of dvc.lock at a commit, tag, branch or experiment, or in the workspace.

    Attributes:
        where: " at REV" for messages; empty for the workspace.
        stages: name -> entry of dvc.lock; empty if nothing has run.
        deps: path -> digest of what the stages read.
        outs: path -> digest of what they wrote.
        md5: path -> digest of either; what a stage wrote counts.
    """

    def __init__(self, root: Path, rev: str | None) -> None:
        """`root` holds dvc.yaml; `rev` is None for the workspace.

        Raises:
            HeadstartError: git knows no such revision, it is no project of DVC's, or its dvc.lock
                cannot be read.
        """
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        self.where = f" at {rev}" if rev else ""
        try:
            self._files = DVCFileSystem(str(root), rev=rev)
            # / is the project's folder, wherever the user is
            lock = YAML(typ="safe", pure=True).load(self._files.read_text("/dvc.lock"))
        except FileNotFoundError:
            lock = {}
        except DvcException as error:
            raise HeadstartError(str(error)) from None
        except (YAMLError, UnicodeDecodeError):
            lock = None
        if not isinstance(lock, dict):
            raise HeadstartError(
                f"dvc.lock{self.where} cannot be read. `headstart verify` says what helps in the "
                "workspace; otherwise name another revision."
            )
        self.stages: Mapping[str, Any] = lock.get("stages", {})
        entries = self.stages.values()
        self.deps, self.outs = digests(entries, "deps"), digests(entries, "outs")
        self.md5 = self.deps | self.outs

    def stage(self, name: str) -> Mapping[str, Any]:
        """What dvc.lock holds of one stage.

        Raises:
            HeadstartError: the stage has not run.
        """
        if name not in self.stages:
            raise HeadstartError(
                f"dvc.lock{self.where} is missing or has no stage {name}: run `dvc repro`, or name "
                "another revision."
            )
        stage: Mapping[str, Any] = self.stages[name]
        return stage

    def paths(self, stage: str, option: str) -> list[str]:
        """Each file that a stage is given by `option`, by name or in a folder.

        Raises:
            HeadstartError: the stage has not run.
        """
        paths = given(self.stage(stage).get("cmd"), option)
        return [file for path in paths for file in below(path, self.md5) or [path]]

    def read(self, path: str) -> bytes | None:
        """The content of a file as in dvc.lock; None if workspace and DVC's cache lack it."""
        from dvc.exceptions import DvcException

        try:
            content: bytes = self._files.read_bytes(f"/{path}")
        except (OSError, DvcException):
            return None
        known = self.md5.get(path)
        return content if known in (None, hashlib.md5(content).hexdigest()) else None

    def files_in(self, folder: Path) -> Callable[[str], Path | None]:
        """Return a function: path -> a copy of the revision's file in `folder`; None without one."""

        def find(path: str) -> Path | None:
            if (content := self.read(path)) is None:
                return None
            copy = folder / Path(path).name
            copy.write_bytes(content)
            return copy

        return find

    def commit(self) -> str:
        """Its short hash and the first line of its message; "" for the workspace."""
        if not self.where:
            return ""
        commit = self._files.repo.scm.resolve_commit(self._files.repo.get_rev())
        subject: str = commit.message.partition("\n")[0]
        return f"{commit.hexsha:.7}" + ("" if subject.startswith(OF_DVC) else f" {subject}")


def digests(stages: Iterable[Mapping[str, Any]], kind: str) -> dict[str, str]:
    """Return path -> digest of every file and folder among the `kind` ("deps", "outs") of `stages`."""
    entries = [entry for stage in stages for entry in stage.get(kind, [])]
    return {entry["path"]: entry["md5"] for entry in entries if "md5" in entry}


def below(folder: str, paths: Iterable[str]) -> list[str]:
    """The sorted paths that lie in `folder`."""
    return sorted(path for path in paths if path.startswith(f"{folder}/"))
