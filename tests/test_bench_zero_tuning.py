"""The parts of bench.zero_tuning and bench.floor that need no training."""

import csv
import json
import subprocess
import sys
from itertools import chain
from pathlib import Path

import click
import numpy as np
import pytest
from bench.floor import INVERSE_PENALTIES, penalty_by_folds
from bench.tables import earlier_rows, filled
from bench.zero_sets import KINDS, Kind, draw, labels_in, write_set
from bench.zero_table import difference, mean_ranks, pooled, reached, zero_table
from PIL import Image

COUNTS = {"train": 100, "valid": 40, "test": 60}
PETS = {f"train/{name}/{i}.jpg": (name,) for name in ("cats", "dogs") for i in range(300)}


def per_class(paths: list[str]) -> dict[str, int]:
    return {name: sum(PETS[path] == (name,) for path in paths) for name in ("cats", "dogs")}


def test_a_draw_keeps_the_parts_of_the_classes_and_takes_no_picture_twice() -> None:
    drawn = draw(PETS, Kind("any"), COUNTS, seed=0)
    assert {split: per_class(paths) for split, paths in drawn.items()} == {
        "train": {"cats": 50, "dogs": 50},
        "valid": {"cats": 20, "dogs": 20},
        "test": {"cats": 30, "dogs": 30},
    }
    everything = list(chain.from_iterable(drawn.values()))
    assert len(set(everything)) == len(everything)


def test_a_draw_depends_on_the_seed_alone() -> None:
    assert draw(PETS, Kind("any"), COUNTS, 1) == draw(
        dict(reversed(PETS.items())), Kind("any"), COUNTS, 1
    )
    assert draw(PETS, Kind("any"), COUNTS, 1) != draw(PETS, Kind("any"), COUNTS, 2)


def test_the_rare_class_has_a_twentieth_of_train_and_its_own_part_of_valid() -> None:
    drawn = draw(PETS, KINDS["rare"], COUNTS, seed=0)
    assert per_class(drawn["train"]) == {"cats": 95, "dogs": 5}
    assert per_class(drawn["valid"]) == {"cats": 20, "dogs": 20}


def test_few_has_twenty_pictures_of_each_class_in_train_alone() -> None:
    drawn = draw(PETS, KINDS["few"], COUNTS, seed=0)
    assert per_class(drawn["train"]) == {"cats": 20, "dogs": 20}
    assert per_class(drawn["test"]) == {"cats": 30, "dogs": 30}


def test_a_small_folder_gives_every_split_less_and_each_class_a_picture() -> None:
    labels = {f"{name}/{i}.jpg": (name,) for name in "abcd" for i in range(5 if name < "c" else 10)}
    drawn = draw(labels, Kind("any", n_classes=3), {"train": 150, "valid": 50, "test": 50}, 0)
    assert {split: len(paths) for split, paths in drawn.items()} == {
        "train": 15,
        "valid": 5,
        "test": 5,
    }
    # the largest three
    assert all({labels[p][0] for p in paths} == {"a", "c", "d"} for paths in drawn.values())


def test_no_label_of_many_is_scored_that_train_does_not_have() -> None:
    labels = {
        f"train/{i}.jpg": ("clear", f"rare-{i}") if i % 3 == 0 else ("clear",) for i in range(150)
    }
    drawn = draw(labels, Kind("any", several=True), {"train": 30, "valid": 20, "test": 20}, seed=0)
    known = {label for path in drawn["train"] for label in labels[path]}
    scored = [*drawn["valid"], *drawn["test"]]
    assert len(drawn["train"]) == 30 and len(scored) == len(set(scored)) == 40
    assert known.issuperset(label for path in scored for label in labels[path])


def rows_of(table: Path) -> list[list[str]]:
    with table.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_set_is_written_as_init_and_as_fastai_take_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "train").mkdir(parents=True)
    for i in range(3):
        Image.new("CMYK", (300, 200)).save(source / f"train/{i}.jpg")
    (source / "labels.csv").write_text(
        "image_name,tags\n0,clear water\n1,clear\n2,haze\n9,absent\n"
    )
    labels = labels_in(source, several=True)
    assert labels == {
        "train/0.jpg": ("clear", "water"), "train/1.jpg": ("clear",), "train/2.jpg": ("haze",),
    }  # fmt: skip
    drawn = {"train": ["train/0.jpg"], "valid": ["train/1.jpg"], "test": ["train/2.jpg"]}
    folder = tmp_path / "pictures"
    table = write_set(source, labels, drawn, folder, px=100, several=True)
    with Image.open(folder / "valid/1.jpg") as image:
        assert (image.size, image.mode) == ((150, 100), "RGB")
    rows = rows_of(table)
    assert rows[:2] == [["file", "labels", "split"], ["train/0.jpg", "clear water", "train"]]
    assert rows_of(folder / "labels.csv")[2] == ["valid/1.jpg", "clear"]

    singles = {"train/0.jpg": ("a b",), "train/1.jpg": ("c",), "train/2.jpg": ("c",)}
    write_set(source, singles, drawn, tmp_path / "single", px=400, several=False)
    with Image.open(tmp_path / "single/train/a b/0.jpg") as image:
        assert image.size == (300, 200)  # never enlarged
    assert not (tmp_path / "single/labels.csv").exists()


def test_the_time_to_a_score_is_that_of_the_first_checkpoint_that_has_it() -> None:
    checkpoints = [("head", 20.0, 0.9), ("augmented", 25.0, 0.95), ("finetuned", 60.0, 0.93)]
    assert reached(checkpoints, 0.9) == 20.0
    assert reached(checkpoints, 0.91) == 25.0
    assert reached(checkpoints, 0.96) is None


def row(seed: int, pictures: str, tta: str, fastai: str, floor: str) -> dict[str, object]:
    scores = {"plain": tta, "tta": tta, "fastai": fastai, "fastai_tta": fastai, "floor": floor}
    return {
        "set": "a", "seed": seed, "score": "accuracy", "pictures": pictures, "scores": scores,
        "seconds": 90.0, "fastai_seconds": 120.0, "fastai_valid": 0.5 + 0.4 * seed,
        "checkpoints": [["head", 20.0, 0.8]],
    }  # fmt: skip


def test_differences_are_paired_by_picture_whatever_the_order_and_the_seed() -> None:
    rows = [row(0, "x y", "1 0", "0 0", "1 0"), row(1, "z x", "1 1", "1 1", "1 1")]
    scores = pooled(rows)
    assert scores.loc["x", "fastai_tta"] == 0.5 and len(scores) == 3
    mean, low, high = difference(scores, "fastai_tta")
    assert mean == pytest.approx(0.5 / 3) and low == 0 and 0 < high <= 0.5
    assert difference(scores, "floor") == (0, 0, 0)


def test_ranks_are_shared_by_equal_scores() -> None:
    assert mean_ranks([[0.9, 0.8, 0.7], [0.5, 0.5, 0.6]]) == [1.75, 2.25, 2.0]


def test_the_table_says_in_how_many_seeds_the_score_was_reached(tmp_path: Path) -> None:
    found = {
        "when": "today", "command": "c", "n_train": 4, "n_valid": 2, "n_test": 3, "stored_px": 128,
        "textile_px": 160,
        "machine": {"cores": 2, "chip": "a chip", "torch": "2", "fastai": "2"},
        "zero_tuning": [row(0, "x y", "1 0", "0 0", "1 0"), row(1, "z", "1", "1", "1")],
    }  # fmt: skip
    table = zero_table(found)
    assert "| a | 2, 3 | accuracy | 0.667 / 0.667 | 0.333 / 0.333 | 0.667 | +0.333 (" in table
    assert "| 90 | 120 | 20 (1 of 2 seeds) | 6.0 |" in table
    assert "headstart 1.50, fastai 3.00, floor 1.50" in table
    (tmp_path / "zero_tuning.json").write_text(json.dumps(found))
    page = "<!-- bench: zero_tuning -->\n<!-- /bench -->"
    assert table in filled(page, tmp_path)


def test_a_run_goes_on_only_with_the_same_options(tmp_path: Path) -> None:
    found = {"name": "x"}
    assert earlier_rows(tmp_path, found, "rows", {"n": 1}) == []
    (tmp_path / "x.json").write_text(json.dumps({"n": 1, "rows": [{"seed": 0}]}))
    assert earlier_rows(tmp_path, found, "rows", {"n": 1}) == [{"seed": 0}]
    with pytest.raises(click.ClickException, match=r"x\.json is of other options; move it away"):
        earlier_rows(tmp_path, found, "rows", {"n": 2})


@pytest.mark.long
def test_three_contenders_are_scored_on_the_same_pictures(repo_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastai")
    numbers = ["--n-train", "24", "--n-valid", "12", "--n-test", "12", "--textile-px", "96"]
    words = ["--sets", "textile", "--seeds", "1", *numbers, "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.zero_tuning", *words],
        cwd=repo_root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "zero_tuning.json").read_text())
    assert zero_table(found) in done.stdout
    [made] = found["zero_tuning"]
    assert {len(text.split()) for text in made["scores"].values()} == {12}
    assert [name for name, *_ in made["checkpoints"]] == ["head", "augmented", "finetuned", "TTA"]
    seconds = [seconds for _, seconds, _ in made["checkpoints"]]
    assert 0 < made["init_seconds"] < seconds[0] and seconds == sorted(seconds)
    assert seconds[-1] < made["seconds"]
    assert made["size_px"] == 96 and made["epochs"] == 3


def test_folds_choose_a_strong_penalty_for_noise_and_a_weak_one_for_a_rule() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 8)).astype(np.float32)
    noise = rng.integers(0, 2, 120)
    rule = (features[:, 0] > 0).astype(int) + (features[:, 1] > 0)
    assert penalty_by_folds(features, noise) == INVERSE_PENALTIES[0]
    assert penalty_by_folds(features, rule) >= 1.0
    both = np.stack([features[:, 0] > 0, features[:, 1] > 0], axis=1).astype(np.float32)
    assert penalty_by_folds(features, both) >= 1.0
    single = np.r_[rule[:-1], 3]  # a class of one picture, which some fold's rest does not have
    assert penalty_by_folds(features, single) in INVERSE_PENALTIES
    assert penalty_by_folds(features[:9], np.arange(9) // 3) in INVERSE_PENALTIES
