"""Which state a training goes on from, when one is written, and when it is gone."""

import ast
import importlib
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch

from headstart.backbone.device import PLAIN_CPU
from headstart.kept.states import DamagedStateWarning, States
from headstart.training import kept_training
from headstart.training.kept_training import KeptTraining
from headstart.training.lr_curve import LrCurve
from headstart.training.resume import FitState, Moving, RangeState
from tests.broken_off import AStage, at_each_step, let_go, states
from tests.broken_off import empty_folder as empty_folder
from tests.contract import PACKAGE, Stage, read_stages

pytestmark = pytest.mark.usefixtures("empty_folder")

STAGES = {"find-lr-head", "train-head", "train-augmented", "find-lr-finetune", "unfreeze-finetune"}


def a_state(loss: float = 1.0) -> RangeState:
    moving = Moving({"weight": torch.ones(3)}, [(torch.ones(3),)], [torch.get_rng_state()])
    return RangeState(moving, LrCurve([0.1], [loss], [loss], 0.9))


def keep(kept: KeptTraining, state: object) -> None:
    """Keep a state, and let the process end."""
    kept.offer(lambda: state)
    let_go(kept)


def losses(kept: KeptTraining) -> list[float] | None:
    """The losses of the last state; None where there is none."""
    state = kept.last(RangeState)
    let_go(kept)
    return state.curve.raw if state else None


def test_the_last_state_is_kept_until_the_stage_has_ended() -> None:
    assert losses(at_each_step(AStage())) is None
    keep(at_each_step(AStage()), a_state(1.0))
    keep(at_each_step(AStage()), a_state(2.0))
    assert len(states()) == 1
    assert losses(at_each_step(AStage())) == [2.0]
    stage = AStage()
    kept = at_each_step(stage)
    assert kept.last(FitState) is None, "a state of another kind of training is none of this one"
    stage.ends_well()
    assert not states()


@pytest.mark.parametrize("change", ["params", "input", "code", "device", "version", "nothing"])
def test_a_state_of_other_inputs_is_never_taken(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("resized")
    folder.mkdir()
    (folder / "pictures").write_bytes(b"pictures")
    compute, params = PLAIN_CPU, {"lr": "0.1"}
    keep(KeptTraining(AStage(**params), ("training",), [folder], compute, inf, 0.0), a_state())
    match change:
        case "params":
            params = {"lr": "0.2"}
        case "input":
            (folder / "pictures").write_bytes(b"Pictures")
        case "code":
            monkeypatch.setattr(kept_training, "code_digest", lambda *_: "edited")
        case "device":
            compute = replace(PLAIN_CPU, inference_dtype=torch.bfloat16)
        case "version":
            monkeypatch.setattr(kept_training, "version", lambda _: "0.0")
    again = KeptTraining(AStage(**params), ("training",), [folder], compute, inf, 0.0)
    assert losses(again) == (None if change != "nothing" else [1.0])


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
def test_a_damaged_state_is_ignored_with_a_line(place: float) -> None:
    keep(at_each_step(AStage()), a_state())
    [file] = states()
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    file.write_bytes(data)
    with pytest.warns(DamagedStateWarning, match=r"\.state is damaged, so it is ignored\."):
        assert losses(at_each_step(AStage())) is None
    assert not states()


def test_a_state_that_holds_more_than_a_training_is_not_loaded() -> None:
    keep(at_each_step(AStage()), {"a class": Path})
    with pytest.warns(UserWarning, match="cannot be read, so it is ignored"):
        assert losses(at_each_step(AStage())) is None


def test_two_runs_of_the_same_do_not_share_states() -> None:
    first, second = at_each_step(AStage()), at_each_step(AStage())
    first.offer(lambda: a_state(1.0))
    second.offer(lambda: a_state(2.0))
    let_go(first)
    assert losses(at_each_step(AStage())) == [1.0]


def test_without_room_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for gb in ("0", "0.000001"):
        monkeypatch.setenv("HEADSTART_KEEP_GB", gb)
        keep(at_each_step(AStage()), a_state())
        assert not states()


def test_a_full_disk_costs_the_state_and_not_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(at_each_step(AStage()), a_state(1.0))

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("headstart.kept.states.os.fsync", full)
        with pytest.warns(
            UserWarning, match=r"The state of train-head cannot be kept \(.*No space"
        ):
            keep(at_each_step(AStage()), a_state(2.0))
    assert losses(at_each_step(AStage())) == [1.0]


def test_a_work_folder_that_cannot_be_made_costs_no_training() -> None:
    Path(".headstart").write_text("a file")
    kept = at_each_step(AStage())
    assert kept.last(RangeState) is None
    with pytest.warns(UserWarning, match="cannot be kept"):
        kept.offer(a_state)


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, write_s: float) -> None:
        self.now, self.written_at = 0.0, list[float]()
        monkeypatch.setattr("headstart.training.kept_training.time.monotonic", lambda: self.now)

        def write(_: States, write: Callable[[Any], object]) -> None:
            self.written_at.append(self.now)
            self.now += write_s

        monkeypatch.setattr(States, "write", write)

    def train(self, kept: KeptTraining, until_s: float, step_s: float) -> None:
        while self.now < until_s:
            self.now += step_s
            kept.offer(a_state)


@pytest.mark.parametrize(("write_s", "every_s"), [(0.001, 1.0), (0.5, 50.0), (30.0, 3000.0)])
def test_states_take_a_hundredth_of_the_time_at_most(
    write_s: float, every_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, step_s = Clock(monkeypatch, write_s), every_s / 500
    kept = KeptTraining(AStage(), ("training",), (), PLAIN_CPU)
    clock.train(kept, 20 * every_s, step_s)
    assert clock.written_at[0] == pytest.approx(max(1.0, step_s), abs=1.5 * step_s)
    gaps = [b - a for a, b in zip(clock.written_at[1:], clock.written_at[2:], strict=False)]
    assert gaps and gaps == pytest.approx([every_s + write_s] * len(gaps), abs=1.5 * step_s)
    let_go(kept)


def test_large_inputs_put_the_first_state_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their digests are in the key. At 0.2 GB/s, 10 MB are expected to take 0.05 s."""
    Path("features").write_bytes(bytes(10_000_000))
    clock = Clock(monkeypatch, 0.01)
    kept = KeptTraining(AStage(), ("training",), [Path("features")], PLAIN_CPU)
    clock.train(kept, 6.0, 0.1)
    assert clock.written_at[0] == pytest.approx(5.0, abs=0.11)
    let_go(kept)


def test_a_short_training_reads_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> str:
        raise AssertionError("no digest is needed")

    monkeypatch.setattr(kept_training, "content_digest", read)
    Path("features").touch()
    other = AStage()
    other.name = "find-lr-head"  # a state of another stage does not matter
    with monkeypatch.context() as patch:
        patch.setattr(kept_training, "content_digest", lambda _: "")
        keep(at_each_step(other), a_state())
    stage = AStage()
    kept = KeptTraining(stage, ("training",), [Path("features")], PLAIN_CPU)
    assert kept.last(RangeState) is None
    kept.offer(a_state)
    stage.ends_well()
    assert len(states()) == 1


# The keys of the stages, held against dvc.yaml.


def _stages(root: Path) -> list[Stage]:
    return [stage for stage in read_stages(root) if stage.name in STAGES]


def test_the_key_has_all_code_that_dvc_yaml_declares(repo_root: Path) -> None:
    for stage in _stages(repo_root):
        step = importlib.import_module(f"headstart.steps.{stage.snake}")
        assert {PACKAGE + room for room in step.ROOMS} == stage.code, stage.name


def test_the_key_has_all_inputs_that_dvc_yaml_declares(repo_root: Path) -> None:
    for stage in _stages(repo_root):
        tree = ast.parse((repo_root / stage.script).read_text())
        named = {
            ast.unparse(node.targets[0]): node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
        }
        values = dict(_pairs(named))
        [call] = [node for node in ast.walk(tree) if _makes_states(node)]
        named_or_not: Any = call.args[2]  # type: ignore[attr-defined]
        inputs: Any = values.get(ast.unparse(named_or_not), named_or_not)
        given = {ast.unparse(element) for element in inputs.elts}
        options = {option.strip("-").replace("-", "_"): path for option, path in stage.arguments}
        wanted = {name for name, path in options.items() if path in stage.data}
        assert given == wanted | {"Path(__file__)"}, stage.name


def _pairs(named: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and values of assignments; those of a tuple one by one."""
    pairs = []
    for target, value in named.items():
        names = target.strip("()").split(", ")
        many = len(names) > 1 and isinstance(value, ast.Tuple)
        pairs += [*zip(names, value.elts, strict=True)] if many else [(target, value)]
    return pairs


def _makes_states(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "KeptTraining"
