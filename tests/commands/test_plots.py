"""DVC's plots of our results: their templates, their page, and that it opens without a network."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from headstart.commands.cli import main
from headstart.evaluation.predictions import Predictions
from headstart.network.objective import Scores
from headstart.reporting.charts_reliability import reliability_chart, reliability_table
from headstart.reporting.confusion import matrix_tables
from headstart.training.lr_curve import LrCurve
from headstart.training.outcome import Epoch, FitResult
from tests.contract import read_stages, read_yaml
from tests.repository import run

REPORTS = "data/6_reports"
TRAININGS = ("train_head", "train_augmented", "unfreeze_finetune")
RANGE_TESTS = ("find_lr_head", "find_lr_finetune")


def plots(root: Path) -> dict[str, Any]:
    """Name -> definition of each plot of dvc.yaml."""
    return {k: v for plot in read_yaml(root / "dvc.yaml")["plots"] for k, v in plot.items()}


def template(root: Path, name: str) -> Any:
    return json.loads((root / f".dvc/plots/{name}.json").read_text())


def tables(scale: float = 1.0) -> dict[str, pd.DataFrame]:
    """What the stages write, by the name of the file."""
    lrs = [10.0**-i for i in range(5, 0, -1)]
    losses = [scale * loss for loss in (1.0, 0.9, 0.5, 0.4, 3.0)]
    epochs = FitResult([
        Epoch(i, 0, i, 0.01, scale / (i + 1), Scores(scale / (i + 2), 0.8), True) for i in range(3)
    ])  # fmt: skip
    rows = [("a", "valid", [0]), ("b", "valid", [1]), ("c", "test", [1])]
    table = pd.DataFrame(rows, columns=["id", "split", "targets"])
    said = np.array([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])
    predictions = Predictions(("good", "bad"), table, said[None], said, "single_label", {})
    charts = [reliability_chart(predictions, split, "tta") for split in ("valid", "test")]
    counts, _ = matrix_tables(np.array([[6, 0], [1, 3]]), ["good", "bad"])
    curve = LrCurve(lrs, losses, losses, 0.9).table()
    return {
        "find_lr_head": curve.assign(suggested_lr=1e-3 * scale),
        "find_lr_finetune": curve.assign(suggested_lr=None),
        **dict.fromkeys(TRAININGS, epochs.table()),
        "confusion_counts": counts,
        "reliability": reliability_table(chart for chart in charts if chart),
    }


def test_each_stage_has_one_plot_of_its_own(repo_root: Path) -> None:
    drawn = [list(plot["y"]) for plot in plots(repo_root).values()]
    names = (*RANGE_TESTS, *TRAININGS, "confusion_counts", "reliability")
    assert sorted(drawn) == sorted([f"{REPORTS}/{name}.csv"] for name in names)
    outs = {out for stage in read_stages(repo_root) for out in stage.outs}
    assert {path for [path] in drawn} <= outs


def test_the_axes_are_those_of_the_report(repo_root: Path) -> None:
    by_file = {Path(next(iter(p["y"]))).stem: p["template"] for p in plots(repo_root).values()}
    assert {by_file[name] for name in RANGE_TESTS} == {"range_test"}
    rate = template(repo_root, "range_test")["layer"][0]["encoding"]["x"]
    assert rate["scale"]["type"] == "log"
    axes = template(repo_root, by_file["confusion_counts"])["spec"]["encoding"]
    assert (axes["y"]["field"], axes["x"]["field"]) == ("actual", "predicted")


@pytest.mark.parametrize("name", ["range_test", "epochs", "confusion_matrix", "reliability"])
def test_a_template_reads_only_columns_that_are_there(repo_root: Path, name: str) -> None:
    """Every `datum.x` and field is a column of the file, or made by a transform above it."""
    [file, *_] = [
        Path(next(iter(plot["y"]))).stem
        for plot in plots(repo_root).values()
        if plot["template"] == name
    ]
    text = json.dumps(template(repo_root, name))
    text = re.sub(r'"labelExpr": "[^"]*"', "", text)  # its datum is a tick of the axis
    made = set(re.findall(r'"as": "(\w+)"', text)) | set(
        re.findall(r'"as": \["(\w+)", "\w+"', text)
    )
    made |= set(re.findall(r'"as": \["\w+", "(\w+)"', text))
    used = set(re.findall(r"datum\.(\w+)", text)) | set(re.findall(r'"field": "(\w+)"', text))
    assert used - made <= {"rev", *tables()[file].columns}


def test_git_ignores_the_page_that_dvc_writes(repo_root: Path) -> None:
    command = ["git", "check-ignore", "-q", "--no-index", "dvc_plots/index.html"]
    assert subprocess.run(command, cwd=repo_root, check=False).returncode == 0


def test_two_states_are_drawn_over_each_other_in_a_page_that_loads_nothing(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dvc").mkdir()
    shutil.copy(repo_root / ".dvc/config", tmp_path / ".dvc")
    shutil.copytree(repo_root / ".dvc/plots", tmp_path / ".dvc/plots")
    YAML().dump({"plots": read_yaml(repo_root / "dvc.yaml")["plots"]}, tmp_path / "dvc.yaml")
    (tmp_path / REPORTS).mkdir(parents=True)
    run(tmp_path, "git", "init", "-q")
    for scale in (1.0, 2.0):
        for name, table in tables(scale).items():
            table.to_csv(tmp_path / f"{REPORTS}/{name}.csv", index=False)
        run(tmp_path, "git", "add", "-A")
        run(tmp_path, "git", "commit", "-q", "-m", "a state")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    result = CliRunner().invoke(main, ["plots", "HEAD~1", "HEAD"])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "dvc_plots/index.html").read_text()
    assert not re.search(r"<script[^>]+src|<link|@import url", page)
    assert "window.vegaEmbed=" in page
    specs = [json.loads(text) for text in re.findall(r"var spec = (\{.*?\});\n", page)]
    assert len(specs) == len(plots(repo_root))
    for spec in specs:
        assert "<DVC_METRIC" not in json.dumps(spec)
        assert {row["rev"] for row in spec["data"]["values"]} == {"HEAD~1", "HEAD"}
    [head, *_] = specs
    assert {row["suggested_lr"] for row in head["data"]["values"]} == {"0.001", "0.002"}
