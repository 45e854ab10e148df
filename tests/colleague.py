"""A colleague's clone of a finished project, and a machine without its pictures and weights."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.whole_project import Project


def pushed(project: Project, remote: str, **config: str) -> None:
    """Commit the project, and push its results to a new remote of DVC's."""
    project.run("dvc", "remote", "add", "--quiet", "--default", "team", remote)
    for name, value in config.items():
        project.run("dvc", "remote", "modify", "team", name, value)
    project.commit()
    project.run("dvc", "push")


def cloned(project: Project, root: Path) -> Project:
    """A clone by git, with its own cache, and what `dvc pull` brings."""
    other = object.__new__(Project)
    other.__dict__.update(project.__dict__)
    other.root = root / "clone"
    other.environment = project.environment | {"DVC_SITE_CACHE_DIR": str(root / "site")}
    other.no_mlflow = other.root / "src/mlflow.py"
    project.run("git", "clone", "--quiet", str(project.root), str(other.root))
    (other.root / ".git/info/exclude").write_text("/src/mlflow.py\n")
    other.run("dvc", "pull")
    return other


def content(project: Project) -> dict[str, str]:
    """The digest of each result, by path: data/, metrics/, and what lies beside them."""
    folders = [project.root / "data", project.root / "metrics"]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    files += [project.root / name for name in ("dvc.lock", "scores.json", "state.json")]
    return {
        file.relative_to(project.root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


@contextmanager
def away(*paths: Path) -> Iterator[None]:
    """These files and folders do not exist."""
    with ExitStack() as undo:
        for path in paths:
            undo.callback(path.with_name(f"{path.name} away").rename, path)
            path.rename(path.with_name(f"{path.name} away"))
        yield
