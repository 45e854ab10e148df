"""Small versions of the benchmarks run and print every row."""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.compare import choose, shown
from bench.disk import bytes_of_parts
from bench.fast_paths import ALL, NONE, WITHOUT
from bench.ours import parts
from bench.pictures import add_pictures
from bench.tables import (
    PAGES,
    RESULTS,
    choices_table,
    compare_table,
    filled,
    limits_table,
    neighbours_table,
    networks_table,
    rules_table,
    scale_table,
    warm_table,
    with_interval,
)
from hypothesis import given
from hypothesis import strategies as st

from headstart.backbone.backbone import Backbone
from headstart.backbone.tensors import NamedTensors, write_tensors
from headstart.training.lr_curve import RULES

LONG = pytest.mark.long


def run(repo_root: Path, module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=repo_root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@LONG
def test_limits_prints_the_machine_and_each_part(repo_root: Path, tmp_path: Path) -> None:
    out = run(repo_root, "bench.limits", "--quick", "--size-px", "64", "--results", str(tmp_path))
    for row in ("fp32 product", "bf16 product", "copy, GB/s", "JPEG decoding", "resize: of decoding",
                "frozen, from stored pictures: of the product", "training step: pictures/s",
                "training step, share of: backward of convolutions",
                "augmentation: of a training step"):  # fmt: skip
        assert f"| {row}" in out
    found = json.loads((tmp_path / "limits.json").read_text())
    assert limits_table(found) in out
    for of_net in found["networks"].values():
        assert all(value > 0 for value in of_net.values())


def test_the_disk_is_counted_a_file_once(tmp_path: Path) -> None:
    for name, n_bytes in (("data/2_resized/a", 8192), ("data/1_index/b", 4096), ("README.md", 1)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(n_bytes - 1) + b"x")
    (tmp_path / ".dvc/cache").mkdir(parents=True)
    (tmp_path / ".dvc/cache/linked").hardlink_to(tmp_path / "data/2_resized/a")
    (tmp_path / ".dvc/cache/copied").write_bytes(bytes(4095) + b"x")
    found = bytes_of_parts(tmp_path)
    assert found["resized"] >= 8192 and found["list and index"] >= 4096 and found["all else"] > 0
    assert 4096 <= found["DVC's cache beside them"] < 8192 and found["kept work"] == 0


@LONG
def test_compare_runs_both_recipes_and_prints_every_row(repo_root: Path, tmp_path: Path) -> None:
    add_pictures(tmp_path / "pictures", range(60))
    out = run(
        repo_root, "bench.compare", "--pictures", str(tmp_path / "pictures"), "--name", "small",
        "--n-train", "32", "--n-valid", "16", "--head-train", "32",
        "--head-valid", "16", "--size-px", "64", "--epoch-px", "64", "--seeds", "1",
        "--rounds", "1", "--batch", "16", "--n-idle", "40", "--workers", "0",
        "--results", str(tmp_path),
    )  # fmt: skip
    found = json.loads((tmp_path / "small.json").read_text())
    assert compare_table(found) in out
    rows = (
        "whole recipe, first time, 64 px", "of it fine-tuning", "of it all other work",
        "of it start-up", "its accuracy of valid", "with TTA",
        "next experiment on the head, 48 pictures, 64 px", "a fine-tuning epoch, 64 px",
        "cosine of its gradients", "accuracy after two", "`dvc repro`, nothing to do, 40 pictures",
        "start-up, without torch", "start-up, with torch", "start-up, bare script",
    )  # fmt: skip
    for row in rows:
        assert f"| {row}" in out
    assert found["epoch"]["headstart"][0]["cosine"] > 0.99
    again, first = (found[kind]["headstart"][0]["seconds"] for kind in ("head", "recipe"))
    assert again < first


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of a small network."""
    backbone = Backbone.create("test_resnet")
    metadata = {"architecture": "test_resnet", "mean": "[0.5, 0.5, 0.5]", "std": "[0.5, 0.5, 0.5]"}
    path = tmp_path / "backbone.safetensors"
    write_tensors(path, NamedTensors(backbone.model.state_dict(), metadata))
    return path


@LONG
def test_scale_prints_memory_and_time_of_each_number(
    repo_root: Path, tmp_path: Path, weights: Path
) -> None:
    out = run(
        repo_root, "bench.scale", "--n", "40", "--n", "80", "--weights", str(weights),
        "--results", str(tmp_path),
    )  # fmt: skip
    found = json.loads((tmp_path / "scale.json").read_text())
    assert scale_table(found) in out
    assert [row["n"] for row in found["scale"]] == [40, 80]
    assert all(row["MB"] > 50 and min(row["ms"].values()) > 0 for row in found["scale"])


@LONG
def test_neighbours_times_all_ways_beside_each(
    repo_root: Path, tmp_path: Path, weights: Path
) -> None:
    out = run(
        repo_root, "bench.neighbours", "--weights", str(weights), "--n-train", "16", "--size-px", "64",
        "--batch", "8", "--threads", "1", "--loops", "1", "--results", str(tmp_path),
    )  # fmt: skip
    found = json.loads((tmp_path / "neighbours.json").read_text())
    assert neighbours_table(found) in out
    assert list(found["neighbours"]) == ["nothing", "1 busy loop", "another training"]
    for by_way in found["neighbours"].values():
        assert list(by_way) == ["one team spins", "one team sleeps", "two teams"]
        assert all(result["seconds"] > 0 and not result["over"] for [result] in by_way.values())


def test_an_epoch_that_was_stopped_is_shown_as_over_its_seconds() -> None:
    def took(seconds: float, over: bool = False) -> list[dict[str, float | bool]]:
        return [{"seconds": seconds, "over": over}]

    rows = {"nothing": {"one team": took(6.0), "two teams": took(5.0)}}
    rows["4 busy loops"] = {"one team": took(66.0, over=True), "two teams": took(20.0)}
    about = {"n_train": 96, "size_px": 224, "batch": 16, "threads": 2, "load_before": 0.1}
    machine = {"cores": 2, "chip": "a chip", "torch": "2"}
    table = neighbours_table(
        {**about, "when": "today", "command": "c", "machine": machine, "neighbours": rows}
    )
    assert "| beside it | one team | times alone | two teams | times alone |" in table
    assert "| nothing | 6.0 s | 1.0 | 5.0 s | 1.0 |" in table
    assert "| 4 busy loops | over 66.0 s | over 11.0 | 20.0 s | 4.0 |" in table


def test_the_time_of_a_run_is_split_into_work_start_up_and_dvc() -> None:
    rows = {
        "plain python": [
            {"seconds": seconds, "work": 4.0, "commands": 7.0, "n": 3}
            for seconds in (9.0, 10.0, 12.0)
        ],
        "warm process": [{"seconds": 6.5, "work": 4.0, "commands": 5.0, "n": 3}] * 3,
    }
    machine = {"cores": 2, "chip": "a chip", "torch": "2"}
    about = {"n": 1600, "when": "today", "command": "c", "machine": machine}
    table = warm_table({**about, "warm": {"a run": rows}})
    assert "| a run: 3 commands | plain python | 10.0 | 4.0 | 3.0 | 3.0 |" in table
    assert "| a run: 3 commands | warm process | 6.5 | 4.0 | 1.0 | 1.5 |" in table


@LONG
def test_lr_rules_scores_every_rule_and_goes_on_where_it_stopped(
    repo_root: Path, tmp_path: Path, weights: Path
) -> None:
    add_pictures(tmp_path / "pictures", range(60), (80, 60))
    file = tmp_path / "lr_rules.json"

    def out() -> str:
        return run(
            repo_root, "bench.lr_rules", "--textile", str(tmp_path / "pictures"), "--seeds", "1",
            "--weights", str(weights), "--n-train", "24", "--n-score", "10", "--textile-px", "48",
            "--results", str(tmp_path),
        )  # fmt: skip

    printed, found = out(), json.loads(file.read_text())
    rows = found["lr_rules"]
    assert rules_table(found) in printed
    assert [row["rule"] for row in rows] == ["recipe", *RULES]
    assert (rows[0]["head_lr"], rows[0]["lr"]) == (0.01, 3e-4)  # of params.yaml
    for scores in (scores for row in rows for scores in (row, row["head"])):
        assert 0 <= scores["valid"] <= 1 and 0 <= scores["test"] <= 1
    file.write_text(json.dumps({**found, "lr_rules": rows[:4]}))
    out()
    assert json.loads(file.read_text())["lr_rules"] == rows


def test_rules_are_ranked_by_seeds_that_have_all_of_them() -> None:
    def row(name: str, seed: int, rule: str, score: float) -> dict[str, object]:
        scores = {"valid": score, "test": score}
        none = {} if rule == "recipe" else {"network": "it is flat"}
        row = {
            "set": name,
            "seed": seed,
            "rule": rule,
            "head_lr": 10**-score,
            "lr": 1e-4,
            "none": none,
        }
        return {**row, "head": scores, "valid": score - 0.1, "test": score - 0.1}

    rows = [row("a", 0, "recipe", 0.8), row("a", 0, "valley", 0.7), row("a", 0, "steepest", 0.9)]
    rows += [row("b", 0, "recipe", 0.6), row("b", 0, "valley", 0.5), row("b", 0, "steepest", 0.5)]
    rows += [row("b", 1, "recipe", 0.1), row("b", 1, "valley", 0.1)]  # an interrupted seed
    about = {"n_train": 9, "n_score": 9, "size_px": 64, "textile_px": 64, "when": "today"}
    machine = {"chip": "a chip", "torch": "2"}
    table = rules_table({**about, "command": "c", "machine": machine, "lr_rules": rows})
    head, network = table.split("| the network, fine-tuned |")
    assert "| `steepest` | 0.900, 0.900 at 0.1 | 0.500, 0.500 at 0.3 | 1.2 | -0.100 |" in head
    assert "| `valley` | 0.700, 0.700 at 0.2 | 0.500, 0.500 at 0.3 | 1.8 | -0.100 |" in head
    assert head.index("`steepest`") < head.index("`valley`")
    assert "| the recipe's rates | 0.700, 0.700 | 0.500, 0.500 |  |  |" in network
    assert (
        "seeds: a 1, b 1. Curves that gave a rate: 2 of 2 of the head, 0 of 2 of the netw" in table
    )


@LONG
def test_new_pictures_cost_little_and_change_no_byte(repo_root: Path, weights: Path) -> None:
    out = run(
        repo_root, "bench.new_pictures", "--n", "100", "--n-views", "1", "--weights", str(weights)
    )
    assert "more against full: the same bytes" in out and "half against full: the same bytes" in out


def test_pictures_are_chosen_by_class_and_never_twice(tmp_path: Path) -> None:
    add_pictures(tmp_path / "all", range(40))
    choose(tmp_path / "all", tmp_path / "some", {"train": 20, "valid": 8})
    names = {
        split: sorted(path.name for path in (tmp_path / "some" / split).rglob("*.jpg"))
        for split in ("train", "valid")
    }
    assert [len(of_split) for of_split in names.values()] == [20, 8]
    assert not set(names["train"]) & set(names["valid"])
    assert len(list((tmp_path / "some/train").iterdir())) == 4


def test_the_parts_of_a_recipe_add_up() -> None:
    own = {"find-lr-finetune": 2.0, "unfreeze-finetune": 3.0, "resize": 1.0}
    assert parts(10.0, own) == {"fine_tuning": 5.0, "other_work": 1.0, "start_up": 4.0}


def test_a_table_of_epochs_alone_tells_of_no_seeds() -> None:
    epoch = {"headstart": [{"seconds": 2.0, "accuracy": 0.5, "cosine": 0.99}]}
    epoch["fastai"] = [{"seconds": 5.0, "accuracy": 0.5}]
    about = {"name": "x", "when": "today", "command": "c", "n_train": 4, "n_valid": 2, "threads": 0}
    machine = {"cores": 2, "chip": "a chip", "torch": "2", "fastai": "2", "timm": "1"}
    table = compare_table(
        {
            **about, "machine": machine, "epoch_px": 64, "batch": 8, "recipe": {}, "head": {},
            "epoch": epoch, "idle": {}, "fastai": {"last": True, "n_workers": 2},
        }
    )  # fmt: skip
    assert "| a fine-tuning epoch, 64 px, batches of 8 | 2.0 s | 5.0 s | 2.5 |" in table
    assert "x: 4 pictures of train and 2 of valid, 1 round; fastai in channels_last" in table


def test_an_interval_is_that_of_the_pictures_whatever_the_number_of_seeds() -> None:
    # scipy's binomtest(150, 200).proportion_ci(0.95, "wilson")
    assert with_interval([0.75], 200) == "0.7500, 0.686 to 0.805"
    assert with_interval([0.75, 0.75, 0.75], 200) == "0.7500 (0.0000), 0.686 to 0.805"
    assert with_interval([0.7, 0.75, 0.8], 200) == "0.7500 (0.0500), 0.686 to 0.805"


@given(st.lists(st.integers(0, 200), min_size=1, max_size=5), st.integers(1, 3))
def test_an_interval_holds_its_mean_and_stays_in_the_unit_interval(
    hits: list[int], times: int
) -> None:
    values = [n / 200 for n in hits] * times
    low, high = map(float, with_interval(values, 200).rpartition(", ")[2].split(" to "))
    assert 0 <= low <= round(statistics.fmean(values), 3) <= high <= 1
    assert low < high


def test_a_table_of_recipes_says_over_how_many_seeds() -> None:
    made = {"seconds": 2.0, "fine_tuning": 1.0, "other_work": 0.5, "start_up": 0.5}
    ours = [{**made, "accuracy": 0.99 + k / 200, "tta": 0.75} for k in (-1, 0, 1)]
    machine = {"cores": 2, "chip": "a chip", "torch": "2", "fastai": "2", "timm": "1"}
    table = compare_table(
        {
            "name": "x", "when": "today", "command": "c", "n_train": 400, "n_valid": 200,
            "threads": 0, "size_px": 64, "machine": machine, "head": {}, "epoch": {}, "idle": {},
            "recipe": {"headstart": ours}, "fastai": {"last": True, "n_workers": 2, "passive": False},
        }
    )  # fmt: skip
    row = "accuracy of valid: mean (sd of 3 seeds), interval | 0.9900 (0.0050), 0.964 to 0.997 |"
    assert row in table
    assert "with TTA: mean (sd of 3 seeds), interval | 0.7500 (0.0000), 0.686 to 0.805 |" in table
    assert "x: 400 pictures of train and 200 of valid, 3 seeds; fastai in channels_last" in table
    assert "2 workers and threads that spin." in table


def test_a_command_is_shown_without_the_folders_of_one_machine() -> None:
    arguments = ["--pictures", "/a/b/dogs", "--seeds", "1", "--results", "/tmp/x"]
    assert shown(arguments) == "python -m bench.compare --pictures dogs --seeds 1"


def test_a_table_in_the_readme_is_what_the_result_says(tmp_path: Path) -> None:
    text = "a\n<!-- bench: limits -->\nold, by hand\n<!-- /bench -->\nb"
    with pytest.raises(ValueError, match="a page wants the table 'limits', but there is no"):
        filled(text, tmp_path)
    machine = {"cores": 2, "chip": "a chip", "torch": "2"}
    found = {
        "when": "today", "command": "c", "size_px": 64, "threads": 1, "machine": machine,
        "limits": {"copy, GB/s": 15.94}, "resize": {"pictures/s": 138.2},
        "networks": {"net": {"x": 0.5}},
    }  # fmt: skip
    (tmp_path / "limits.json").write_text(json.dumps(found))
    made = filled(text, tmp_path)
    assert "old" not in made and "| copy, GB/s | 15.9 |" in made and limits_table(found) in made
    assert made.startswith("a\n") and made.endswith("\nb") and filled(made, tmp_path) == made


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_those_of_the_results(repo_root: Path, page: str) -> None:
    text = (repo_root / page).read_text(encoding="utf-8")
    assert filled(text, RESULTS) == text, "run python -m bench.tables"


def test_each_fast_path_can_be_left_out(repo_root: Path) -> None:
    table = run(repo_root, "bench.fast_paths", "--network", "test_efficientnet", "--size-px", "64",
                "--rounds", "2")  # fmt: skip
    rows = [line.split("|")[2:-1] for line in table.splitlines()[2:]]
    assert [row[0].strip() for row in rows] == [ALL, *WITHOUT, NONE]
    values = {row[0].strip(): [float(cell) for cell in row[1:]] for row in rows}
    assert values[ALL][1] == values[ALL][3] == 1 and min(map(min, values.values())) > 0
    assert values["folded norms"][4] > values[ALL][4]  # a norm keeps its input


def test_the_table_of_choices_has_a_row_a_network() -> None:
    look: dict[str, Any] = {"size_px": 224, "per_second": 90.4}
    rows = [
        look | {"set": of, "seed": seed, "network": name, "score": 0.5 + seed / 10}
        for of in ("dogscats", "planet") for seed in (0, 1) for name in ("a", "b")
    ]  # fmt: skip
    found = {"network_choices": rows, "machine": {"chip": "x", "cores": 2}, "when": "today"}
    table = choices_table(found | {"n_train": 4, "n_valid": 3, "command": "python -m c"})
    head, _, first, second, _, about = table.splitlines()
    assert head == "| network | px | pictures/s | dogscats | planet |"
    assert first == "| `a` | 224 | 90 | 0.550 (0.071) | 0.550 (0.071) |" and "`b`" in second
    assert about.startswith("At most 4 pictures of train and 3 of valid, 2 draws. today")


def test_the_table_of_networks_counts_those_that_were_tried() -> None:
    fits = {"outcome": "fits", "network": "a_1", "size_px": 64, "pool": "avg"}
    walk = {
        "one": fits | {"options": {"img_size": 64}},
        "two": {
            "outcome": "fails",
            "network": "b_1",
            "size_px": 64,
            "step": "build",
            "reason": "no",
        },
        "big": {"outcome": "too large", "network": "c_1", "size_px": 64},
    }
    table = networks_table({"timm": "1.0", "networks": walk})
    assert table.startswith("1 of 2 families fit (50%; timm 1.0, ")
    assert "Too large for the walk: `c_1`." in table
    assert "| one | `a_1` | 64 | avg | for the size |" in table
    assert "| two | `b_1` | 64 | **fails** (build) | no |" in table
