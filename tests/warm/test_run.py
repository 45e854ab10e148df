"""A script that the warm process runs is as one of plain python, which runs in every doubt."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere plain python runs")

WARM = Path(__file__).parents[2] / "src/headstart/warm"
SOON_S = 60.0  # of a machine that is busy
Figures = Callable[[str], None]
Words = tuple[str, ...]
SCRIPT, MODULE = (
    ("script.py",),
    ("-m", "script"),
)  # a stage, and the process that tells MLflow of it

SURROUNDINGS = """
import json, os, resource, signal, sys, threading
mask = os.umask(0)
os.umask(mask)
kept = ("SigB", "SigI", "Cap", "Umask", "Uid", "Gid", "Groups", "Cpus", "NoNewPrivs", "Seccomp")
about = open("/proc/self/status").read().splitlines()
limits = [n for n in dir(resource) if n.startswith("RLIMIT_")]
signals = sorted(signal.valid_signals())
streams = (sys.stdin, sys.stdout, sys.stderr)
print(json.dumps({
    "path": sys.path, "argv": sys.argv, "file": __file__, "name": __name__,
    "spec": str(__spec__).split(" object at ")[0],
    "is main": sys.modules["__main__"].__dict__ is globals(), "flags": str(sys.flags),
    "environment": dict(os.environ), "folder": os.getcwd(), "umask": mask,
    "threads": threading.active_count(),
    "limits": [resource.getrlimit(getattr(resource, n)) for n in limits],
    "terminals": [os.isatty(i) for i in range(3)], "files": sorted(os.listdir("/proc/self/fd")),
    "handlers": [str(signal.getsignal(s)).split(" at ")[0] for s in signals],
    "process": [open(f"/proc/self/{n}").read() for n in ("cgroup", "oom_score_adj")],
    "nice": os.getpriority(os.PRIO_PROCESS, 0), "scheduler": os.sched_getscheduler(0),
    "status": [line for line in about if line.startswith(kept)],
    "streams": [str((s.encoding, s.errors, s.line_buffering, s.name)) for s in streams],
    "stdin": sys.stdin.read(), "executable": sys.executable, "prefix": sys.prefix,
}))
"""
WHICH = "import sys\nprint('warm' if 'a_library' in sys.modules else 'plain')\n"
WAITS = """
import os, signal, sys, time
from pathlib import Path
def end(number, frame):
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
Path("pid").write_text(str(os.getpid()))
for _ in range(6000):
    time.sleep(0.01)
    with open("beats", "a") as beats:  # freeing an open file would drop an exit raised meanwhile
        beats.write("x")
"""
FAILS = "def f():\n    raise ValueError('wrong')\ntry:\n    f()\nfinally:\n    print('x')"
THREAD = "import threading, time\ndef f():\n    time.sleep(0.2)\n    print('thread')\n"
ENDS = {
    "": 0,
    "import sys; sys.exit(3)": 3,
    "import sys; sys.exit(259)": 3,
    "import sys; sys.exit('it failed')": 1,
    FAILS: 1,
    "a = = 1": 1,
    "import os; os._exit(5)": 5,
    "import os; os.kill(os.getpid(), 9)": -9,
    "import os; os.kill(os.getpid(), 15)": -15,
    "raise KeyboardInterrupt": -2,
    "import atexit; atexit.register(print, 'last')": 0,
    f"{THREAD}threading.Thread(target=f).start()": 0,
}


class Warm:
    """Code, environment and one library, which the server imports; all below one folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.project = root, root / "p"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / "v")], check=True)
        self.python = root / "v/bin/python"
        [packages] = (root / "v/lib").glob("python*/site-packages")
        self.library = packages / "a_library.py"
        self.library.write_text("version = 1\n")
        for folder in (self.project, root / "run", root / "warm"):
            folder.mkdir(mode=0o700)
        shutil.copy(WARM / "run.py", root / "warm")
        self.serve()
        apart = {"HEADSTART_WARM", "PYTHONPATH", "COVERAGE_PROCESS_START", "VIRTUAL_ENV"}
        apart.add("PYTHONDONTWRITEBYTECODE")  # a first import compiles, as it does for a user
        outer = {k: v for k, v in os.environ.items() if k not in apart}
        self.environment = outer | {"XDG_RUNTIME_DIR": str(root / "run"), "PYTHONPATH": "src"}

    def serve(self, idle_s: float = 600.0) -> None:
        """Write the server: it imports one library, and looks around often."""
        code = (WARM / "server.py").read_text()
        start, end = code.index("LIBRARIES = {"), code.index("OURS = ")
        libraries = dict.fromkeys(("stage", "teller"), ("a_library",))
        code = f"{code[:start]}LIBRARIES = {libraries}\n{code[end:]}"
        code = code.replace("IDLE_S = 600.0", f"IDLE_S = {idle_s}")
        code = code.replace("LOOK_EVERY_S = 5.0", "LOOK_EVERY_S = 0.1")
        (self.root / "warm/server.py").write_text(code)

    def command(self, script: str, *arguments: str) -> list[str]:
        return [str(self.python), "-SE", str(self.root / "warm/run.py"), script, *arguments]

    def run(
        self, code: str, project: Path | None = None, named: Words = SCRIPT, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        folder = project or self.project
        (folder / "script.py").write_text(code)
        return subprocess.run(
            self.command(*named, "--a", "b c"), cwd=folder, text=True, capture_output=True,
            env=self.environment | settings, input="from stdin",
        )  # fmt: skip

    def which(self, project: Path | None = None, named: Words = SCRIPT, /, **settings: str) -> str:
        return self.run(WHICH, project, named, **settings).stdout.strip()

    def start(self, named: Words = SCRIPT, **settings: str) -> None:
        """Call until the server answers."""
        assert eventually(lambda: self.which(None, named, **settings) == "warm"), self.logs()

    def background(self) -> "subprocess.Popen[bytes]":
        (self.project / "waits.py").write_text(WAITS)
        for name in ("pid", "beats"):
            (self.project / name).unlink(missing_ok=True)
        process = subprocess.Popen(self.command("waits.py"), cwd=self.project, env=self.environment)
        assert eventually(lambda: all((self.project / n).is_file() for n in ("pid", "beats")))
        assert self.pid() != process.pid  # it is a fork
        return process

    def pid(self) -> int:
        return int((self.project / "pid").read_text())

    def beats(self) -> int:
        return (self.project / "beats").stat().st_size

    def servers(self) -> list[psutil.Process]:
        """The servers alone: their guards and scripts have one of them above."""
        server = str(self.root / "warm/server.py")
        found = [p for p in psutil.process_iter(["cmdline"]) if server in (p.info["cmdline"] or [])]
        return [p for p in found if p.ppid() not in {other.pid for other in found}]

    def logs(self) -> list[str]:
        return [file.read_text() for file in (self.root / "run/headstart").glob("*.log")]

    def close(self) -> None:
        """Take the sockets away: a server without its socket ends."""
        shutil.rmtree(self.root / "run/headstart", ignore_errors=True)
        assert eventually(lambda: not self.servers())


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + SOON_S
    while not (done := true()) and time.monotonic() < until:
        time.sleep(0.05)
    return done


@pytest.fixture(scope="module", autouse=True)
def ctrl_c_arrives() -> Iterator[None]:
    """A shell's job in the background ignores SIGINT, and so would all that these tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    warm = Warm(tmp_path_factory.mktemp("w"))
    warm.start()
    yield warm
    warm.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Warm]:
    (tmp_path / "w").mkdir()  # short: the path of a socket has 107 bytes
    warm = Warm(tmp_path / "w")
    yield warm
    warm.close()


def test_a_fork_has_the_surroundings_of_plain_python(base: Warm, figures: Figures) -> None:
    (base.project / "src").mkdir(exist_ok=True)
    for named in (SCRIPT, MODULE):
        about = base.run(SURROUNDINGS, named=named, DVC_STAGE="x\ny", HEADSTART_WARM="0")
        plain = json.loads(about.stdout)
        assert plain["environment"].pop("HEADSTART_WARM") == "0"
        base.start(named)
        about = base.run(SURROUNDINGS, named=named, DVC_STAGE="x\ny")
        assert json.loads(about.stdout) == plain
    figures(f"{len(plain)} kinds of surroundings of a script and of a module, all equal")


def test_a_fork_ends_as_plain_python_does(base: Warm, figures: Figures) -> None:
    base.start(MODULE)
    for code, status in ENDS.items():
        for named in (SCRIPT, MODULE):
            assert base.which(None, named) == "warm"
            warm = base.run(code, named=named)
            plain = base.run(code, named=named, HEADSTART_WARM="0")
            assert (warm.returncode, warm.stdout) == (plain.returncode, plain.stdout), code
            assert warm.stderr == plain.stderr, code
            assert warm.returncode == status, code
    figures(f"{len(ENDS)} kinds of ends of a script and of a module, all as of plain python")


def test_a_killed_caller_takes_its_script_with_it(base: Warm) -> None:
    process = base.background()
    process.kill()
    process.wait()
    assert eventually(lambda: not psutil.pid_exists(base.pid()))


@pytest.mark.long
def test_a_hundred_killed_callers_leave_nothing(base: Warm, figures: Figures) -> None:
    slowest, n = 0.0, 100
    for _ in range(n):
        process = base.background()
        process.kill()
        began = time.monotonic()
        assert eventually(lambda: not psutil.pid_exists(base.pid()))
        slowest = max(slowest, time.monotonic() - began)
        process.wait()
    figures(f"{n} killed callers, {n} scripts gone, the slowest after {slowest:.2f} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_arrive_and_give_their_status(base: Warm, number: signal.Signals) -> None:
    process = base.background()
    process.send_signal(number)
    assert process.wait(SOON_S) == 128 + number


def test_a_stopped_caller_stops_its_script(base: Warm) -> None:
    process = base.background()
    process.send_signal(signal.SIGTSTP)
    assert eventually(lambda: psutil.Process(base.pid()).status() == "stopped")
    n = base.beats()
    process.send_signal(signal.SIGCONT)
    assert eventually(lambda: base.beats() > n + 1)
    process.terminate()
    assert process.wait(SOON_S) == 143


def test_a_killed_server_disturbs_no_script(own: Warm) -> None:
    own.start()
    process = own.background()
    for server in own.servers():
        server.kill()
    n = own.beats()
    assert eventually(lambda: own.beats() > n + 5)
    process.terminate()
    assert process.wait(SOON_S) == 143
    own.start()  # the next call begins another


def test_each_environment_has_its_own_server(own: Warm) -> None:
    own.start()
    assert own.which(DVC_ROOT="/x", SHLVL="7", HEADSTART_THREADS="1") == "warm"
    assert own.which(OMP_NUM_THREADS="3") == "plain"
    own.start(OMP_NUM_THREADS="3")
    assert len(own.servers()) == 2


def test_other_packages_end_the_server(own: Warm) -> None:
    own.start()
    version = "import a_library\nprint(a_library.version)"
    assert own.run(version).stdout == "1\n"
    own.library.write_text("version = 2.5\n")
    assert own.run(version).stdout == "2.5\n"
    own.start()
    assert own.run(version).stdout == "2.5\n"
    (own.library.parent / "another.py").write_text("")
    assert own.which() == "plain"


def test_a_module_of_the_project_that_hides_a_library_is_plain_python(base: Warm) -> None:
    hides = base.root / "hides"
    (hides / "src").mkdir(parents=True)
    (hides / "src/a_library.db").touch()  # like MLflow's mlflow.db
    assert base.which(hides) == "warm"
    (hides / "src/a_library").mkdir()
    (hides / "src/a_library/__init__.py").write_text("mine = True")
    assert base.run("import a_library\nprint(a_library.mine)", hides).stdout == "True\n"


def test_the_server_ends_when_nobody_calls(own: Warm) -> None:
    own.serve(idle_s=1.0)
    own.start()
    process = own.background()
    time.sleep(2)
    assert own.servers()  # as a script runs
    process.terminate()
    process.wait()
    assert eventually(lambda: not own.servers())
    assert [file.suffix for file in (own.root / "run/headstart").iterdir()] == [".log"]
    own.start()


def test_projects_share_a_server_and_no_code(base: Warm, figures: Figures) -> None:
    projects = [base.root / f"project {i}" for i in range(4)]
    for i, project in enumerate(projects):
        (project / "src").mkdir(parents=True)
        (project / "src/ours.py").write_text(f"number = {i}")
        (project / "s.py").write_text(f"import ours\n{WHICH}print(ours.number)")

    def begin(project: Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            base.command("s.py"), cwd=project, env=base.environment, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip

    said = [process.communicate()[0] for process in [begin(p) for p in projects * 3]]
    assert said == [f"warm\n{i}\n" for i in range(4)] * 3
    (projects[0] / "src/ours.py").write_text("number = 10")
    assert begin(projects[0]).communicate()[0] == "warm\n10\n"
    figures(f"{len(said)} scripts of {len(projects)} projects at once, each with its own code")


@pytest.mark.parametrize(("kind", "named"), [("stage", SCRIPT), ("teller", MODULE)])
def test_a_server_that_was_begun_ahead_serves_the_first_call(
    own: Warm, kind: str, named: Words
) -> None:
    at_a_terminal = own.environment | {"PS1": "$ "}  # bash drops it before a stage
    for _ in range(2):  # the second does nothing
        subprocess.run(own.command("--ahead", kind), env=at_a_terminal, check=True)
    assert eventually(lambda: own.logs() == [""])
    assert len(own.servers()) == 1
    assert own.which(None, named) == "warm"


@pytest.mark.parametrize("settings", [{"HEADSTART_WARM": "0"}, {"PYTHONINSPECT": ""}])
def test_plain_python_where_it_is_asked_for(base: Warm, settings: dict[str, str]) -> None:
    assert base.which() == "warm"
    assert base.which(**settings) == "plain"


def test_a_folder_that_others_can_open_is_not_used(own: Warm) -> None:
    (own.root / "run/headstart").mkdir()
    (own.root / "run/headstart").chmod(0o755)
    assert own.which() == "plain"
    assert not own.servers() and not list((own.root / "run/headstart").iterdir())


def test_a_server_that_cannot_start_is_not_tried_again_at_once(own: Warm) -> None:
    own.library.write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3,)).start()"
    )
    assert own.which() == "plain"
    assert eventually(lambda: any("started the threads" in log for log in own.logs()))
    assert eventually(lambda: not own.servers())
    assert own.which() == "plain"
    assert not own.servers()
