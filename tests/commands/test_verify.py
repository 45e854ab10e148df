"""`headstart verify` on a small DVC project: damage in each place, and what heals it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result

from headstart.commands.cli import main
from headstart.commands.locked import Project
from headstart.commands.revision import Revision
from headstart.commands.verified import LOOKS, changed_sources
from headstart.project.errors import HeadstartError
from headstart.project.files import write_json

PIPELINE = """
stages:
  make:
    cmd: mkdir big && python make.py big/array && python make.py big/rows && python make.py net
    deps: [make.py, pictures]
    params: [value]
    outs: [big, net]
  tell:
    cmd: cat net big/array > page
    deps: [net, big]
    outs: [page]
"""
CODE = "import sys; print(sys.argv[1:], *range(99), file=open(sys.argv[1], 'x'))\n"
WHOLE = "are as dvc.lock says"


class Small:
    """A project that `dvc repro` has run."""

    def __init__(self, folder: Path, repo_root: Path) -> None:
        self.root = folder / "project"
        (self.root / "pictures").mkdir(parents=True)
        (self.root / ".dvc").mkdir()
        shutil.copy(repo_root / ".dvc/config", self.root / ".dvc/config")
        subprocess.run(["git", "init", "-q", self.root], check=True)
        (self.root / "dvc.yaml").write_text(PIPELINE)
        (self.root / "make.py").write_text(CODE)
        (self.root / "pictures/a.jpg").write_bytes(b"a picture")
        (self.root / "params.yaml").write_text("value: 1\n")
        self.environment = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "DVC_NO_ANALYTICS": "1",
        }
        self.dvc("repro", "-q")

    def dvc(self, *words: str) -> str:
        done = subprocess.run(
            ["dvc", *words], cwd=self.root, env=os.environ | self.environment,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def object(self, path: str) -> Path:
        """The object of a file in DVC's cache."""
        inode = (self.root / path).stat().st_ino
        objects = (self.root / ".dvc/cache/files").rglob("*")
        return next(file for file in objects if file.stat().st_ino == inode)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small(tmp_path_factory.mktemp("small"), Path(__file__).parents[2])


@pytest.fixture
def small(made: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """A copy with the same hard links, at which nothing that DVC remembers is aimed."""
    copy = object.__new__(Small)
    copy.root, copy.environment = tmp_path / "project", made.environment
    subprocess.run(["cp", "-a", made.root, copy.root], check=True)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", made.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.chdir(copy.root)
    return copy


def verify(*options: str) -> Result:
    result = CliRunner().invoke(main, ["verify", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def flip(file: Path) -> None:
    """Change one bit; size and time stay."""
    times = file.stat()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    with file.open("r+b") as opened:  # not another inode
        opened.write(data)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_whole_project_is_one_line(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify().output == f"All 4 files of 2 stages {WHOLE}.\n"
    monkeypatch.chdir(small.root / "big")
    deep = verify("--deep")
    assert deep.exit_code == 0
    assert deep.output == (
        f"All 6 files of 2 stages {WHOLE}, and 5 objects of DVC's cache as named.\n"
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("net", "net  other bytes, in DVC's cache too"),
        ("big/rows", "big/rows  other bytes, in DVC's cache too"),
        ("page", "page  other bytes, in DVC's cache too"),
        ("make.py", "make.py  other bytes"),
        ("pictures/a.jpg", "pictures  other files or bytes"),
    ],
)
def test_a_flipped_bit_is_found_wherever_it_is(small: Small, path: str, line: str) -> None:
    flip(small.root / path)
    result = verify("--deep")
    assert (result.exit_code, result.stdout) == (1, f"{line}\n")
    assert result.stderr.count("\n") == 1 and "dvc repro`" in result.stderr


def test_damage_of_the_cache_alone_is_found(small: Small) -> None:
    place = small.object("net")
    (small.root / "net").unlink()
    shutil.copy(place, small.root / "net")  # no link any more
    flip(place)
    earlier = small.root / ".dvc/cache/files/md5/00/0000000000000000000000000000ff"
    earlier.parent.mkdir()
    earlier.write_text("of an earlier state")
    [listed] = (small.root / ".dvc/cache/files").rglob("*.dir")
    listed.chmod(0o644)
    listed.write_text(listed.read_text().replace("array", "brray"))
    assert verify("--deep").stdout.splitlines() == [
        "big                                                     other bytes, but only in DVC's cache",
        "net                                                     other bytes, but only in DVC's cache",
        ".dvc/cache/files/md5/00/0000000000000000000000000000ff  other bytes",
    ]
    assert verify("--repair").exit_code == 0
    assert not (place.exists() or earlier.exists() or listed.exists())
    assert (small.root / "net").exists(), "a whole result stays"


def test_what_is_missing_or_too_much_is_told(small: Small) -> None:
    (small.root / "net").unlink()
    (small.root / "big/new").write_text("of the user")
    (small.root / "params.yaml").write_text("value: 2\n")
    result = verify("--deep", "--json")
    assert result.exit_code == 1
    assert [(one["path"], one["what"]) for one in json.loads(result.stdout)["problems"]] == [
        ("big/new", "no stage wrote it"),
        ("net", "missing"),
        ("params.yaml", "other value"),
    ]
    assert verify("--repair").exit_code == 1
    assert (small.root / "big/new").exists(), "only what is damaged is removed"


def test_a_cut_file_is_found_without_deep(small: Small) -> None:
    n_bytes = (small.root / "page").stat().st_size
    os.truncate(small.root / "page", 4)
    cut = f"4 of {n_bytes} bytes"
    assert verify().stdout == f"page  {cut}, in DVC's cache too\n"


def test_what_repair_leaves_counts(small: Small) -> None:
    flip(small.root / "net")
    (small.root / "big/new").write_text("of the user")
    result = verify("--repair")
    assert result.exit_code == 1
    assert "Removed 2 files. 1 file not as dvc.lock says" in result.stderr
    assert (small.root / "big/new").exists() and not (small.root / "net").exists()


def test_a_lock_with_the_marks_of_a_merge_stays(small: Small) -> None:
    lock = small.root / "dvc.lock"
    text = lock.read_text()
    lock.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    result = verify("--repair")
    assert result.exit_code == 1 and lock.exists()
    assert "dvc.lock has the marks of a merge: take the lock of one side" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["", "stages: [", "schema"])
def test_a_comparison_says_that_the_lock_cannot_be_read(small: Small, text: str) -> None:
    (small.root / "dvc.lock").write_text(text)
    with pytest.raises(HeadstartError, match=r"^dvc.lock cannot be read. `headstart verify` says"):
        Revision(small.root, None)


@dataclass
class Told:
    """A project of the one stage that looks at sources."""

    root: Path

    @property
    def stages(self) -> dict[str, dict[str, list[dict[str, str]]]]:
        return {LOOKS: {"outs": [{"path": "pictures.json"}]}}


def test_what_was_told_of_a_source_may_itself_be_damaged(tmp_path: Path) -> None:
    """It is an out, so it is compared as all outs are; the sources can wait."""
    told = tmp_path / "pictures.json"
    for content in (b"", b'{"source": ', b"\xff"):
        told.write_bytes(content)
        assert changed_sources(cast("Project", Told(tmp_path))) == ([], [])
    write_json(told, {"source": "pictures", "sha256": "0" * 64}, sealed=True)
    flip(told)
    assert changed_sources(cast("Project", Told(tmp_path))) == ([], [])


def test_a_source_that_cannot_be_read_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    os.mkfifo(tmp_path / "pictures/a.jpg")
    write_json(tmp_path / "pictures.json", {"source": "pictures", "sha256": "0" * 64})
    [problem], absent = changed_sources(cast("Project", Told(tmp_path)))
    assert (problem.path, problem.kind, absent) == ("pictures", "unreadable", [])
    assert "a.jpg" in problem.what


def test_an_input_is_never_removed(small: Small) -> None:
    flip(small.root / "make.py")
    flip(small.root / "pictures/a.jpg")
    result = verify("--repair")
    assert result.exit_code == 1 and "`touch` the files" in result.stderr
    assert (small.root / "make.py").exists() and (small.root / "pictures/a.jpg").exists()


def test_without_a_project_or_a_run_a_sentence_says_so(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small.root / "dvc.lock").write_text("stages: [\n")
    assert "dvc.lock is half written" in verify().stderr
    (small.root / "dvc.lock").unlink()
    assert "dvc.lock does not exist: run `dvc repro`" in verify().stderr
    monkeypatch.chdir(tmp_path)
    assert "is in no DVC project: change to the folder" in verify().stderr


def test_a_folder_whose_list_is_damaged_too_is_made_again(
    made: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows then which of its files is damaged, and DVC trusts size and time of each."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", made.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.chdir(made.root)
    whole = (made.root / "big/array").read_bytes()
    [listed] = (made.root / ".dvc/cache/files").rglob("*.dir")
    listed.chmod(0o644)
    listed.write_text("[]")
    flip(made.root / "big/array")
    result = verify("--repair")
    assert result.exit_code == 0 and "big again. Now run `dvc repro`." in result.stdout
    made.dvc("repro")
    assert (made.root / "big/array").read_bytes() == whole
    assert WHOLE in verify("--deep").output


def test_deep_finds_what_dvc_does_not_and_repair_heals_it(
    made: Small, monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    """The one project whose files DVC has seen itself."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", made.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.chdir(made.root)
    whole = {path: (made.root / path).read_bytes() for path in ("net", "big/array", "page")}
    flipped = ["net", "big/array", "make.py", "pictures/a.jpg"]
    for path in flipped:
        flip(made.root / path)
    assert "up to date" in made.dvc("status")
    assert WHOLE in verify().output
    found = [line.split()[0] for line in verify("--deep").stdout.splitlines()]
    assert found == ["big/array", "make.py", "net", "pictures"]
    figures(f"{len(flipped)} edits that kept size and time: dvc status 0, --deep {len(found)}")
    for path in ("make.py", "pictures/a.jpg"):
        flip(made.root / path)  # back
    # DVC restores a cut file from its cache, which is the same inode, and calls it up to date
    os.truncate(made.root / "page", 4)
    made.dvc("repro")
    assert (made.root / "page").stat().st_size == 4 and "up to date" in made.dvc("status")
    assert "page       other bytes, in DVC's cache too" in verify("--deep").stdout
    assert "Removed 6 files. Now run `dvc repro`." in verify("--repair").stdout
    made.dvc("repro")
    assert {path: (made.root / path).read_bytes() for path in whole} == whole
    assert WHOLE in verify("--deep").output
