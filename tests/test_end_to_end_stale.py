"""Whatever is edited: exactly the stages whose inputs changed run, and no result is stale.

Whatever fails, or is not on the machine of a colleague: no result is lost.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from tests.colleague import away, cloned, content, pushed
from tests.edited_project import (
    CLASSES,
    N_PER_CLASS,
    VALUES,
    copied,
    inputs,
    made,
    modules,
    put_picture,
    restore_pictures,
    results_of,
    run_in_forks,
    tell_nobody,
)
from tests.quick_dvc import quick_dvc
from tests.remotes import Remote, s3_remote, ssh_remote
from tests.whole_project import Project, assert_row_is_right, runs_of

pytestmark = pytest.mark.end_to_end

N_PARTS, N_SEQUENCES, N_EDITS = 8, 25, 3
TARGETS = ("audit-labels", "tta-evaluate", "write-submission")
REPORTS = {"confusion-report", "publish-run"}  # seconds each, and no function of the inputs
NUMBERS = st.integers(0, N_PER_CLASS - 1)


class Sequence:
    """A copy of the finished project; edits of it, each followed by `dvc repro`."""

    def __init__(self, base: Project, root: Path, targets: tuple[str, ...]) -> None:
        self.root, self.targets = root, targets
        self.project = copied(base, root / "edited", results=True)
        restore_pictures(base)  # all sequences use one folder, as its path is a param
        tell_nobody(self.project)
        self.last = inputs(self.project)
        self.judged = {stage for stage in self.last if not targets or stage not in REPORTS}
        self.seen = {stage: {digest} for stage, digest in self.last.items()}

    def ran_what_changed(self) -> None:
        """Run the pipeline; fail if another set of stages ran than those with inputs never seen."""
        ran = self.project.repro(*self.targets)
        now = inputs(self.project)
        due = {stage for stage in self.judged if now[stage] not in self.seen[stage]}
        if not self.targets and now["publish-run"] != self.last["publish-run"]:
            due.add("publish-run")  # it is never restored: each state gets its row
        assert ran == due, f"ran without need: {ran - due}; did not run: {due - ran}"
        for stage in self.judged:
            self.seen[stage].add(now[stage])
        self.last = now

    def equals_a_run_from_nothing(self, by_dvc: bool) -> int:
        """Run a clone without results; fail if a result has other bytes. Returns how many there are.

        Args:
            by_dvc: whether DVC runs the stages, not this test, which is faster.
        """
        clean = copied(self.project, self.root / "clean", results=False)
        if by_dvc:
            clean.repro(*self.targets)
        else:
            run_in_forks(clean, self.judged)
        ours, theirs = (results_of(of, self.judged) for of in (self.project, clean))
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if ours[name] != theirs[name]] == []
        return len(ours)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A small project that has run."""
    with quick_dvc() as path:
        project = made(tmp_path_factory.mktemp("base"), Path(__file__).parents[1])
        project.environment["PATH"] = path
        project.no_mlflow.write_text('raise ImportError("this test leaves it out")\n')
        project.repro()
        yield project


def test_each_kind_of_edit_runs_what_it_must(base: Project, tmp_path: Path) -> None:
    sequence = Sequence(base, tmp_path, ())
    project = sequence.project
    for edit in (
        lambda: project.edit({"train_augmented.seed": 1}),
        lambda: put_picture(project, "ant/0.jpg", 900),
        lambda: (project.pictures / "bee/1.jpg").rename(project.pictures / "cod/new.jpg"),
        lambda: project.edit({"train_augmented.seed": 0}),
        lambda: comment(project, "src/headstart/training/schedules.py"),
    ):
        edit()
        sequence.ran_what_changed()
    assert sequence.equals_a_run_from_nothing(by_dvc=True) > 30


def comment(project: Project, module: str) -> None:
    """Change a source file's bytes, and not what it does."""
    with (project.root / module).open("a") as file:
        file.write("# edited\n")


@pytest.mark.long
@pytest.mark.parametrize("part", range(N_PARTS))
def test_random_edits_leave_nothing_stale(
    base: Project, tmp_path: Path, part: int, figures: Callable[[str], None]
) -> None:
    """25 sequences of up to 3 edits in each of 8 parts; the reports are left out."""
    numbers, n_edits = count(), count()

    @seed(part)
    class Edits(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.sequence = Sequence(base, tmp_path / str(next(numbers)), TARGETS)
            self.project = self.sequence.project

        @rule(data=st.data(), key=st.sampled_from(sorted(VALUES)))
        def a_param(self, data: Any, key: str) -> None:
            self.project.edit({key: data.draw(st.sampled_from(VALUES[key]))})
            self.check()

        @rule(name=st.sampled_from(CLASSES), number=NUMBERS, content=st.integers(1000, 1002))
        def a_picture(self, name: str, number: int, content: int) -> None:
            put_picture(self.project, f"{name}/{number}.jpg", content)
            self.check()

        @rule(name=st.sampled_from(CLASSES), to=st.sampled_from(CLASSES), number=NUMBERS)
        def a_label(self, name: str, to: str, number: int) -> None:
            picture = self.project.pictures / name / f"{number}.jpg"
            if picture.is_file() and name != to:
                picture.rename(self.project.pictures / to / f"of {name} {number}.jpg")
            self.check()

        @rule(module=st.sampled_from(modules(base)))
        def a_module(self, module: str) -> None:
            comment(self.project, module)
            self.check()

        def check(self) -> None:
            next(n_edits)
            self.sequence.ran_what_changed()

        def teardown(self) -> None:
            self.sequence.equals_a_run_from_nothing(by_dvc=False)
            shutil.rmtree(self.sequence.root)

    run_state_machine_as_test(
        Edits,
        settings=settings(
            max_examples=N_SEQUENCES,
            stateful_step_count=N_EDITS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    figures(f"{next(numbers)} sequences, {next(n_edits)} edits, no stale byte")


@pytest.fixture(scope="module")
def theirs(base: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A colleague's clone, after `dvc push` here and `dvc pull` there; the remote is a folder."""
    root = tmp_path_factory.mktemp("theirs")
    restore_pictures(base)
    mine = copied(base, root / "mine", results=True)
    pushed(mine, str(root / "remote"))
    return cloned(mine, root)


@pytest.fixture
def alone(base: Project, theirs: Project) -> Iterator[Project]:
    """The clone on a machine that has neither the pictures nor the weights; undone at the end."""
    with (
        away(base.pictures, base.pictures.with_name("weights.safetensors")),
        theirs.without_mlflow(),
    ):
        yield theirs
    theirs.run("git", "reset", "--hard", "--quiet")
    theirs.run("dvc", "checkout", "--quiet")


def test_a_colleague_runs_nothing_and_syncs_the_row(
    theirs: Project, figures: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(theirs)
    theirs.run("dvc", "commit", "--force")
    assert theirs.repro() == set()
    assert theirs.run("git", "status", "--porcelain") == ""
    assert "are as dvc.lock says" in theirs.headstart("verify", "--deep")
    assert "Added the row" in theirs.headstart("sync")
    [row] = runs_of(theirs.root, "headstart.complete", monkeypatch)
    assert_row_is_right(theirs, row)
    assert content(theirs) == before
    figures(f"{len(before)} files after git clone and dvc pull, 0 stages run, 1 row by sync")


def test_a_colleague_without_the_pictures_works_on_what_is_below(
    alone: Project, figures: Callable[[str], None]
) -> None:
    before = content(alone)
    assert alone.repro() == set() and content(alone) == before
    for key, path in (("dataset.source", alone.pictures), ("backbone.weights", "/")):
        assert f"{key} is {path}" in alone.said
    assert alone.said.count("which is not here. What was made of it stays as it is.") == 2
    verified = alone.headstart("verify", "--deep")
    assert verified.count("is not here, so it was not compared.") == 2
    assert "are as dvc.lock says" in verified
    said = alone.run("dvc", "exp", "run", "-S", "train_head.lr=0.02", "train-head")
    assert set(re.findall(r"^Running stage '([^']+)'", said, re.M)) == {
        "check-inputs",
        "train-head",
    }
    after = content(alone)
    changed = {path for path in before if after.get(path) != before[path]}
    alone.edit({"train_head.lr": 0.01})
    assert alone.repro("train-head") == set(), "going back runs nothing, after `dvc commit --force`"
    assert changed and all(
        "train_head" in path or "head.s" in path for path in changed - {"dvc.lock"}
    )
    figures(f"{len(before) - len(changed)} of {len(before)} files the same bytes, none lost")


def test_code_that_lists_the_pictures_keeps_the_list_where_they_are_absent(alone: Project) -> None:
    before = content(alone)
    comment(alone, "src/headstart/fetching/download.py")
    assert alone.repro("fetch-images", "fetch-weights") == {"fetch-images", "fetch-weights"}
    assert alone.said.count("has nothing to read here, and keeps what it made before.") == 2
    assert content(alone) | {"dvc.lock": ""} == before | {"dvc.lock": ""}


@pytest.mark.parametrize(
    ("edit", "ends"),
    [
        ({"train_head.lr": -1.0}, "train_head.lr is -1.0: it must be greater than 0"),
        ({"dataset.source": "/other"}, "dataset.source is '/other', which is not a folder."),
        (
            {"index_images.seed": 1},
            "does not exist: mount it, or set dataset.source to its new path",
        ),
    ],
)
def test_what_fails_costs_no_result(alone: Project, edit: dict[str, Any], ends: str) -> None:
    before = content(alone)
    alone.edit(edit)
    with pytest.raises(AssertionError, match=re.escape(ends)):
        alone.repro()
    assert content(alone) == before
    if "index_images.seed" in edit:  # its stage had begun, so DVC had removed its outs
        alone.run("git", "checkout", "--quiet", "params.yaml")
        assert alone.repro() == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("serve", "packages"),
    [(s3_remote, ("dvc_s3", "moto")), (ssh_remote, ("dvc_ssh", "asyncssh"))],
    ids=["s3", "ssh"],
)
def test_a_remote_behind_a_server_gives_a_colleague_the_same_files(
    base: Project,
    tmp_path: Path,
    figures: Callable[[str], None],
    serve: Callable[[Path], AbstractContextManager[Remote]],
    packages: tuple[str, ...],
) -> None:
    for package in packages:
        pytest.importorskip(package)
    restore_pictures(base)
    mine = copied(base, tmp_path / "mine", results=True)
    with serve(tmp_path) as remote:
        mine.environment |= remote.environment
        pushed(mine, remote.url, **remote.config)
        theirs = cloned(mine, tmp_path)
        assert theirs.repro() == set()
    assert theirs.run("git", "status", "--porcelain") == ""
    assert "are as dvc.lock says" in theirs.headstart("verify", "--deep")
    assert content(theirs) == content(mine)
    figures(f"{remote.url.partition(':')[0]}: {len(content(mine))} files the same, 0 stages run")
