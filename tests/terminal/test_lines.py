"""What each stage says at its end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headstart.terminal import lines
from headstart.training.lr_curve import Suggestion

N_COLUMNS = 120

EPOCHS = {"lr": 0.01, "n_epochs": 3, "train_loss": 0.34}
VALID = {"valid": {"log_loss": 0.40887, "accuracy": 0.8125}}
TUNED = {
    **EPOCHS,
    **VALID,
    "lr": 3e-4,
    "kept_epoch": 3,
    "overfitted": False,
    "worse_than_start": False,
    "start": {"log_loss": 0.378, "accuracy": 0.8475},
    "kept": {"log_loss": 0.169, "accuracy": 0.935},
}


def test_files_weights_and_pictures() -> None:
    files = {"n_files": 2000, "n_bytes": 41944968, "n_hidden": 0}
    assert lines.fetch_images(files) == "2,000 files, 41.9 MB"
    weights = {"n_tensors": 294, "n_numbers": 3413073}
    assert lines.fetch_weights("resnet34", weights) == "resnet34, 3.4 million weights"
    resized = {"n_pictures": 1, "n_bytes": 42117}
    assert lines.stored(resized) == "1 picture, 0.0 MB"
    views = {"n_pictures": 1200, "n_views": 3, "n_bytes": 36864128, "n_sizes": 1}
    assert lines.stored(views) == "3 views of 1,200 pictures, 36.9 MB"
    sized = views | {"n_views": 1, "n_sizes": 2}
    assert lines.stored(sized) == "1 view of 1,200 pictures in 2 sizes, 36.9 MB"


def test_the_index_tells_what_is_not_labelled_and_what_was_set_aside() -> None:
    def split(n: int, n_labelled: int) -> dict[str, int]:
        return {"n": n, "n_labelled": n_labelled}

    counts: dict[str, Any] = {
        "n_pictures": 2000,
        "n_classes": 3,
        "splits": {"train": split(1200, 1200), "valid": split(400, 390), "test": split(400, 0)},
        "n_problems": {"total": 0},
    }
    text = "train 1,200, valid 400 (390 labelled), test 400 (none labelled)"
    assert lines.index_images(counts) == f"2,000 pictures of 3 classes: {text}"
    in_groups = counts | {"n_groups": 1200}
    assert lines.index_images(in_groups) == f"2,000 pictures of 3 classes in 1,200 groups: {text}"
    counts |= {"n_problems": {"total": 1}, "splits": {"train": split(9, 9)}, "n_classes": 1}
    assert lines.index_images(counts) == "2,000 pictures of 1 class: train 9; 1 file set aside"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Suggestion(0.005012, "rule steepest"), "suggests lr 0.00501 (rule steepest)"),
        (
            Suggestion(None, "the range test was skipped, n_iter is 0"),
            "suggests no lr: the range test was skipped, n_iter is 0",
        ),
        (
            Suggestion(
                None, "the smoothed loss falls by 0.1 only, at least 0.2 are needed to tell"
            ),
            "suggests no lr: the smoothed loss falls by 0.1 only",
        ),
    ],
)
def test_a_range_test_says_why_it_suggests_no_rate(found: Suggestion, text: str) -> None:
    assert lines.range_test(found) == text


def test_a_head_is_judged_by_valid_or_by_its_loss() -> None:
    text = "3 epochs at lr 0.01 → valid accuracy 0.8125, log loss 0.4089"
    assert lines.trained(EPOCHS | VALID) == text
    without = "1 epoch → train loss 0.3400, without a valid split"
    assert lines.trained({"n_epochs": 1, "train_loss": 0.34}) == without
    many = {"n_epochs": 2, "train_loss": 1.0, "valid": {"log_loss": 0.1, "f2": 0.9}}
    assert lines.trained(many) == "2 epochs → valid F2 0.9000, log loss 0.1000"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "3 epochs at lr 0.0003: valid accuracy 0.8475 → 0.9350"),
        (
            {"kept_epoch": 2, "overfitted": True},
            "epoch 2 of 3: valid accuracy 0.8475 → 0.9350",
        ),
        ({"kept_epoch": 0}, "no cycle beat the start, which is kept: valid accuracy 0.8475"),
        (
            {
                "kept_epoch": 0,
                "worse_first_cycle": {
                    "accuracy": {"before": 0.948, "after": 0.922},
                    "log_loss": {"before": 0.2, "after": 0.4},
                },
            },
            "stopped after its first cycle: the head is better "
            "(accuracy 0.9480 against 0.9220, beyond noise) and is kept",
        ),
        (
            {"kept_epoch": 0, "worse_first_cycle": {"log_loss": {"before": 0.2, "after": 0.4}}},
            "stopped after its first cycle: the head is better "
            "(log loss 0.2000 against 0.4000, beyond noise) and is kept",
        ),
        (
            {"worse_than_start": True, "kept": {"accuracy": 0.8}},
            "3 epochs at lr 0.0003: valid accuracy 0.8475 → 0.8000, worse than before",
        ),
    ],
)
def test_fine_tuning_says_which_network_it_kept(change: dict[str, Any], text: str) -> None:
    assert lines.fine_tuned(TUNED | change) == text


def test_fine_tuning_without_a_valid_split() -> None:
    text = "3 epochs at lr 0.01 → train loss 0.3400, without a valid split"
    assert lines.fine_tuned(EPOCHS | {"kept_epoch": 3, "overfitted": False}) == text


KEPT_LAST = {"keep": "last", "stop_when_worse": False}


def scores(name: str = "accuracy") -> dict[str, Any]:
    def of(value: float) -> dict[str, float]:
        ends = {f"{name}_ci_low": value - 0.02, f"{name}_ci_high": value + 0.02}
        return {"n_pictures": 400, name: value, **ends}

    return {
        "valid": {"plain": of(0.935), "tta": of(0.965)},
        "test": {"plain": of(0.93), "tta": of(0.96)},
    }


def test_what_was_predicted() -> None:
    counts = {"n_checkpoints": 3, "n_views": 5, "n_pictures": 1800}
    assert lines.predicted(counts) == "3 checkpoints on 5 views of 1,800 pictures"


def test_the_scores() -> None:
    text = "valid accuracy 0.9350, TTA 0.9650; test accuracy 0.9300, TTA 0.9600"
    assert lines.scored(scores()) == text
    assert lines.scored({}) == "no score: no picture of valid or test has a label"


def test_the_errors_and_the_submission() -> None:
    wrong = {"n_pictures": 400, "n_errors": 14, "n_confused_pairs": 1}
    assert lines.confused(wrong) == "14 of 400 pictures wrong"
    labels = wrong | {"n_missed": 20, "n_extra": 1800}
    text = "14 of 400 pictures with a wrong label: 20 labels missed, 1,800 extra"
    assert lines.confused(labels) == text
    assert lines.submitted({"n_rows": 12500}) == "12,500 rows"
    assert lines.submitted({"n_rows": 0}) == "no row: test has no unlabelled picture"


PAGE, CONFIDENCE = Path("data/6_reports/report.html"), {"tta_evaluate": {"confidence": 0.95}}


def test_a_run_ends_with_its_scores_their_intervals_and_the_page() -> None:
    told = lines.published("run", CONFIDENCE, {"tta_evaluate": scores()}, [PAGE])
    assert told.splitlines() == [
        "publish-run: the row of this state is in MLflow (`mlflow ui`)",
        "valid: accuracy 0.9350 (0.915 to 0.955), TTA 0.9650 (0.945 to 0.985); 95 %, 400 pictures",
        "test:  accuracy 0.9300 (0.910 to 0.950), TTA 0.9600 (0.940 to 0.980); 95 %, 400 pictures",
        "report: data/6_reports/report.html",
    ]
    stopped = CONFIDENCE | {"unfreeze_finetune": KEPT_LAST | {"stop_when_worse": True}}
    _, valid, test, _ = lines.published(
        "run", stopped, {"tta_evaluate": scores()}, [PAGE]
    ).splitlines()
    assert valid.endswith("; 95 %, 400 pictures, which chose it") and test.endswith("400 pictures")
    assert len(valid) <= N_COLUMNS
    choice = {"accuracy": 0.93, "accuracy_claimed": 0.935, "accuracy_optimism": 0.005}
    chosen = {"choice": choice, "kept": {"accuracy": 0.935}}
    for final, n_lines in (("finetuned", 5), ("snapshots", 4)):
        found = scores() | {"checkpoints": {"head": {}, final: {}}}
        told = lines.published(
            "run", stopped, {"tta_evaluate": found, "unfreeze_finetune": chosen}, [PAGE]
        )
        assert len(told.splitlines()) == n_lines
        sentence = (
            "\n       accuracy 0.9300 in place of 0.9350 where the epoch is chosen without the scored "
            "pictures\ntest:"
        )
        assert (sentence in told) == (final == "finetuned")
        assert max(map(len, told.splitlines())) <= N_COLUMNS
    many = {"tta_evaluate": {"valid": scores("f2")["valid"]}}
    told = lines.published(None, {"tta_evaluate": {"confidence": 0.9}}, many, [PAGE])
    assert "the row of this state is kept for MLflow (`headstart sync`)" in told
    assert "valid: F2 0.9350" in told and "; 90 %, 400" in told and "test" not in told
    unscored = lines.published("run", CONFIDENCE, {"tta_evaluate": {}}, [PAGE])
    assert len(unscored.splitlines()) == 2


def test_the_lines_fit_the_terminal() -> None:
    flat = Suggestion(None, "the smoothed loss falls by 0.00123 only, at least 0.0456 are needed")
    sentences = {
        "find-lr-finetune": lines.range_test(flat),
        "unfreeze-finetune": lines.fine_tuned(TUNED),
        "train-augmented": lines.trained({"n_epochs": 3} | VALID),
        "tta-evaluate": lines.scored(scores()),
    }
    for stage, sentence in sentences.items():
        snake = stage.replace("-", "_")
        where = Path(f"data/6_reports/{snake}.csv")
        where = Path(f"metrics/{snake}.json") if snake == "tta_evaluate" else where
        assert len(lines.line(stage, sentence, 98.7, where)) <= N_COLUMNS
    published = lines.published("run", CONFIDENCE, {"tta_evaluate": scores()}, [PAGE])
    assert max(map(len, published.splitlines())) <= N_COLUMNS


def test_a_line_goes_to_stdout_whatever_that_is(capfd: pytest.CaptureFixture[str]) -> None:
    lines.tell(lines.line("train-head", "3 epochs → good", 1.25, Path("a.png")))
    assert capfd.readouterr().out == "train-head: 3 epochs → good (1.2 s; a.png)\n"


TELL = "from headstart.terminal import lines; lines.tell('1 → 2')"


def test_who_reads_no_utf_8_or_nothing_at_all_costs_no_result() -> None:
    environment = os.environ | {"PYTHONPATH": "src", "PYTHONIOENCODING": "ascii"}
    command, root = [sys.executable, "-c", TELL], Path(__file__).parents[2]
    told = subprocess.run(command, env=environment, cwd=root, capture_output=True, check=True)
    assert (told.stdout, told.stderr) == (b"1 ? 2\n", b"")
    read, write = os.pipe()
    os.close(read)
    deaf = subprocess.run(command, env=environment, cwd=root, stdout=write, stderr=-1, check=False)
    os.close(write)
    assert (deaf.returncode, deaf.stderr) == (0, b"")


def test_an_audit_names_the_most_doubtful_picture() -> None:
    audit = pd.DataFrame({"path": [f"a/{'long_' * 9}cat.jpg", "b/dog.jpg"]})
    counts = {"n_flagged": 12, "n_pictures": 2000}
    sentence = lines.audited(counts, audit)
    assert sentence == "12 of 2,000 pictures doubtful; the first: ng_long_long_cat.jpg"
    where = Path("data/6_reports/label_audit.csv")
    assert len(lines.line("audit-labels", sentence, 12.3, where)) <= N_COLUMNS
    assert lines.audited(counts | {"n_flagged": 0}, audit) == "none of 2,000 pictures doubtful"
