"""`headstart compare` in a small repository of git and DVC, whose files lie in DVC's cache."""

import json
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from dvc.repo import Repo
from ruamel.yaml import YAML

from headstart.commands.cli import main
from headstart.commands.kept_spread import SPREAD_FILE, spread_text
from headstart.commands.spread import Spread
from headstart.commands.stored_pictures import RESIZING
from headstart.commands.stored_run import INDEXING, PUBLISHING, SCORING, read_stored_run
from headstart.evaluation.predictions import Predictions, write_predictions
from headstart.labels.labels import Labels, write_labels, write_test_labels
from headstart.pictures.resized import write_resized
from headstart.pictures.table import write_pictures
from tests.contract import read_yaml
from tests.small_networks import FORM, StoredPictures

STAGES = """
stages:
  index-images:
    cmd:
      - echo of pictures
      - index --pictures data/pictures.parquet --labels data/labels.parquet
    outs: [data/pictures.parquet, data/labels.parquet, data/test_labels.parquet]
  resize:
    cmd: [resize --resized data/resized]
    outs: [data/resized]
  tta-evaluate:
    cmd: >-
      evaluate --labels data/labels.parquet --test-labels data/test_labels.parquet
      --predictions data/head.parquet --predictions data/predictions.parquet
      --metrics metrics/tta_evaluate.json
    deps: [data/labels.parquet, data/test_labels.parquet, code]
    params: [head, tta_evaluate]
    outs: [data/head.parquet, data/predictions.parquet]
    metrics: [metrics/tta_evaluate.json: {cache: false}]
  publish-run:
    cmd: publish --metrics metrics
    deps: [metrics]
"""
IDS = [str(number) for number in range(4)]
LABELS = Labels(
    pd.DataFrame({"id": IDS, "labels": [["cat"]] * 4, "split": "test", "group": IDS}),
    ("cat", "eel"),
    "single_label",
)


def headstart(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", *arguments])


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.check_output(["git", *identity, *arguments], text=True).strip()


def run_pipeline(n_right: int, lr: float) -> None:
    """Write what the stages would: the first `n_right` of four pictures are right; fill the cache."""
    params = {"head": {"lr": lr}, "tta_evaluate": {"thresholds": "global"}}
    YAML().dump(params, Path("params.yaml"))
    table = pd.DataFrame({"id": IDS, "split": "test", "targets": [[0]] * 4})
    p = np.where(np.arange(4) < n_right, 0.9, 0.2)
    said = np.stack([p, 1 - p], axis=1)
    for name, of in (("head", 1 - said), ("predictions", said)):
        path = Path(f"data/{name}.parquet")
        path.unlink(missing_ok=True)  # the file may be a link to the cache
        write_predictions(path, Predictions(("cat", "eel"), table, of[None], of))
    Path("metrics/tta_evaluate.json").write_text(json.dumps({"test": {"plain": {}, "tta": {}}}))
    with Repo(".") as repo:
        repo.commit(force=True)  # fills the cache, and writes dvc.lock


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three states: the commit HEAD, the experiment `faint-lamb`, and the workspace."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "project"
    for folder in (".dvc", "data", "metrics", "code"):
        (root / folder).mkdir(parents=True)
    monkeypatch.chdir(root)
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    Path(".gitignore").write_text("/data\n/.dvc/cache\n/.dvc/tmp\n")
    Path("dvc.yaml").write_text(STAGES)
    Path("code/a.py").write_text("# first\n")
    sizes = {"width": [9] * 4, "height": [9] * 4}
    pictures = pd.DataFrame({"id": IDS, "paths": [[f"cats/{i}.png"] for i in IDS]} | sizes)
    write_pictures(Path("data/pictures.parquet"), pictures)
    write_labels(Path("data/labels.parquet"), LABELS)
    write_test_labels(Path("data/test_labels.parquet"), LABELS)
    rows = [(i, StoredPictures().encoded(i)) for i in IDS[:3]]
    write_resized(Path("data/resized"), rows, FORM.model_dump(exclude_none=True))
    git("init", "-q")
    run_pipeline(2, 0.1)
    git("add", "-A")
    git("commit", "-q", "-m", "the first run\n\nmore about it")
    first = git("rev-parse", "HEAD")
    run_pipeline(4, 0.2)
    git("commit", "-q", "-a", "-m", "dvc: commit experiment b1aaf85a")
    git("update-ref", f"refs/exps/{first[:2]}/{first[2:]}/faint-lamb", "HEAD")
    git("reset", "-q", "--hard", first)
    Path("code/a.py").write_text("# second\n")
    run_pipeline(3, 0.3)
    return root


def test_the_pipeline_names_the_files_that_are_read(repo_root: Path) -> None:
    stages = read_yaml(repo_root / "dvc.yaml")["stages"]

    def last(stage: str, option: str) -> str:
        words = shlex.split(stages[stage]["cmd"])
        return [path for word, path in pairwise(words) if word == option][-1]

    assert last(SCORING, "--predictions") == "data/5_predictions/predictions.parquet"
    assert last(SCORING, "--labels") == "data/1_index/labels.parquet"
    assert last(SCORING, "--test-labels") == "data/1_index/test_labels.parquet"
    assert last(SCORING, "--metrics") == "metrics/tta_evaluate.json"
    assert last(INDEXING, "--pictures") == "data/1_index/pictures.parquet"
    assert last(RESIZING, "--resized") == "data/2_resized"
    assert PUBLISHING in stages


def test_a_commit_and_the_workspace(project: Path) -> None:
    result = headstart("HEAD")
    assert result.exit_code == 0, result.output
    head = git("rev-parse", "--short=7", "HEAD")
    assert result.output.startswith(f"a  HEAD ({head} the first run)\nb  workspace\n\n")
    assert "head.lr             0.1                            0.3\n" in result.output
    assert "code or sources that differ: 1 (code)" in result.output
    assert "test: 4 pictures, the same in both" in result.output
    assert "accuracy, plain     0.5000   0.7500   +0.2500" in result.output
    assert "right, plain      only a: 0, only b: 1, both: 2, neither: 1" in result.output


def test_the_spread_over_seeds_is_told_of_the_run_that_it_belongs_to(project: Path) -> None:
    params = {"head": {"lr": 0.1}, "tta_evaluate": {"thresholds": "global"}}  # those of HEAD
    row = Spread("tta_evaluate.test.tta.accuracy", (0.5, 0.6))
    Path(SPREAD_FILE).write_text(spread_text(params, [row]))
    git("add", SPREAD_FILE)
    git("commit", "-q", "-m", "seeds")
    said = "HEAD, mean over seeds (sd; seeds.json): test TTA accuracy 0.5500 (0.0707) of 2."
    output = headstart("HEAD").output
    assert said in " ".join(output.split()) and output.count("seeds.json") == 1


def test_labels_of_test_beside_the_others_as_an_older_headstart_wrote_them(project: Path) -> None:
    old = STAGES.replace(", data/test_labels.parquet", "")
    Path("dvc.yaml").write_text(old.replace(" --test-labels data/test_labels.parquet", ""))
    labels = Path("data/labels.parquet")
    about = pq.read_schema(labels).metadata
    labels.unlink()
    pq.write_table(pa.Table.from_pandas(LABELS.table).replace_schema_metadata(about), labels)
    run_pipeline(3, 0.3)
    older = read_stored_run(project, "workspace").labels
    assert older.table.to_dict("list") == LABELS.table.to_dict("list")
    assert read_stored_run(project, "HEAD").labels.labelled("test") == older.labelled("test") == IDS


def test_an_experiment_is_named_by_its_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "code")
    commit = git(
        "rev-parse", "--short=7", f"{git('for-each-ref', '--format=%(refname)', 'refs/exps')}"
    )
    # DVC's own message says nothing of the experiment
    assert headstart("faint-lamb").output.startswith(f"a  faint-lamb ({commit})\nb  workspace\n")
    found = json.loads(headstart("HEAD", "faint-lamb", "--json").output)
    assert found["params"] == {"head.lr": {"a": 0.1, "b": 0.2}}
    assert found["splits"]["test"]["pictures"]["plain"]["only_b_right"] == ["2", "3"]


def test_the_page_shows_the_pictures_of_the_workspace(project: Path) -> None:
    result = headstart("HEAD", "faint-lamb", "--html")
    assert result.output.endswith("page: compare-HEAD-faint-lamb.html\n"), result.output
    page = Path("compare-HEAD-faint-lamb.html").read_text(encoding="utf-8")
    assert page.count("url(data:image/jpeg") == 1  # one of the two is not stored
    assert '<small class="file" title="cats/2.png">2.png</small>' in page
    assert '<small class="file" title="cats/3.png">3.png</small>' in page
    assert headstart("workspace", "HEAD", "--html", "x.html").exit_code == 0
    assert Path("x.html").exists()


def test_a_page_without_stored_pictures(project: Path) -> None:
    shutil.rmtree("data/resized")
    result = headstart("HEAD", "faint-lamb", "--html", "--json")
    assert json.loads(result.stdout)["b"]["name"] == "faint-lamb"
    assert result.stderr == "page: compare-HEAD-faint-lamb.html\n"
    page = Path("compare-HEAD-faint-lamb.html").read_text(encoding="utf-8")
    assert page.count("not stored in this workspace") == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["HEAD", "--html", "page.txt"],
            "--html is 'page.txt'; it must be a file that ends in .html",
        ),
        (["--html", "HEAD", "faint-lamb"], "put --html behind the revisions"),
        (["HEAD", "--html", "data/resized/x.html"], "which a stage writes"),
        (["no-such-tag"], "no-such-tag"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    project: Path, arguments: list[str], sentence: str
) -> None:
    result = headstart(*arguments)
    assert result.exit_code == 1 and sentence in result.output
    assert isinstance(result.exception, SystemExit)


def test_predictions_that_are_nowhere_have_a_remedy(project: Path) -> None:
    shutil.rmtree(".dvc/cache")
    result = headstart("HEAD")
    assert result.exit_code == 1
    assert "data/predictions.parquet at HEAD is neither in the workspace nor" in result.output
    assert "run `dvc pull`, or check it out and run `dvc repro`" in result.output


def test_a_state_in_which_nothing_has_run(project: Path) -> None:
    git("rm", "-q", "--cached", "dvc.lock")
    git("commit", "-q", "-m", "no lock")
    result = headstart("HEAD")
    assert result.exit_code == 1
    assert "dvc.lock at HEAD is missing or has no stage tta-evaluate" in result.output


def test_params_that_have_not_run_yet_are_told(project: Path) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("0.3", "0.007"))
    result = headstart("HEAD")
    assert "params.yaml has been edited since the workspace's results" in result.output
    assert "(head.lr)" in result.output and "0.007" not in result.output
