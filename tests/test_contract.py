"""dvc.yaml agrees with the code and with the table below; each check is shown to fail."""

import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.contract import (
    ALWAYS,
    PACKAGE,
    SOURCES,
    STEPS,
    Stage,
    closure,
    problems,
    read_stages,
    read_yaml,
)

NEAR = "data/1_index/near_duplicates.csv"
INDEX, PLAIN, VIEWS = "data/1_index/", "data/3_activations/plain", "data/3_activations/views"
LABELS, RESIZED = INDEX + "labels.parquet", "data/2_resized"
TEST_LABELS = INDEX + "test_labels.parquet"  # no stage that trains reads them
BACKBONE = "data/0_source/backbone.safetensors"
EARLIER = ("head", "augmented")
HEAD, AUGMENTED, FINETUNED, SNAPSHOTS, MODEL = (
    f"data/4_checkpoints/{name}.safetensors"
    for name in (*EARLIER, "finetuned", "snapshots", "model")
)
SAID = ("data/5_predictions/views", "data/5_predictions/final.json")
PREDICTIONS = "data/5_predictions/predictions.parquet"
FIND_HEAD, FIND_FINETUNE = (
    f"data/6_reports/{name}.json" for name in ("find_lr_head", "find_lr_finetune")
)
CURVES = "data/6_reports/*.csv"  # any stage may write its curves

# What each stage reads and writes, apart from its metrics and the record of its run.
TABLE: dict[str, tuple[list[str], list[str]]] = {
    ALWAYS: ([], sorted(SOURCES.values())),
    "fetch-images": ([], ["data/0_source/images"]),
    "fetch-weights": ([], [BACKBONE]),
    "index-images": (
        ["data/0_source/images"],
        [
            *(INDEX + "pictures.parquet", LABELS, TEST_LABELS),
            *(INDEX + "train_ids.parquet", INDEX + "problems.csv", NEAR),
        ],
    ),
    "resize": (["data/0_source/images", INDEX + "pictures.parquet"], [RESIZED]),
    "precompute-activations": ([RESIZED, BACKBONE], [PLAIN]),
    "precompute-views": ([RESIZED, INDEX + "train_ids.parquet", BACKBONE], [VIEWS]),
    "find-lr-head": ([PLAIN, LABELS], [FIND_HEAD]),
    "train-head": ([PLAIN, LABELS, FIND_HEAD], [HEAD]),
    "audit-labels": (
        [PLAIN, LABELS, TEST_LABELS, INDEX + "pictures.parquet"],
        ["data/6_reports/label_audit.csv"],
    ),
    "train-augmented": ([VIEWS, PLAIN, LABELS, HEAD], [AUGMENTED]),
    "find-lr-finetune": ([RESIZED, LABELS, BACKBONE, AUGMENTED], [FIND_FINETUNE]),
    "unfreeze-finetune": (
        [RESIZED, LABELS, BACKBONE, AUGMENTED, FIND_FINETUNE],
        [FINETUNED, SNAPSHOTS],
    ),
    "predict-views": (
        [RESIZED, LABELS, BACKBONE, HEAD, AUGMENTED, FINETUNED, SNAPSHOTS],
        [*SAID],
    ),
    "tta-evaluate": (
        [*SAID, LABELS, TEST_LABELS, FINETUNED, SNAPSHOTS],
        [
            *(MODEL, PREDICTIONS, "scores.json"),
            *(f"data/5_predictions/{name}.parquet" for name in EARLIER),
        ],
    ),
    "confusion-report": (
        [
            *(PREDICTIONS, INDEX + "pictures.parquet", "metrics/*.json", RESIZED, MODEL),
            *(CURVES, FIND_HEAD, FIND_FINETUNE, INDEX + "problems.csv", NEAR, "recipes"),
            *(f"data/5_predictions/{name}.parquet" for name in EARLIER),
            *("data/5_predictions/final.json", "data/7_runs/*.json"),
        ],
        ["data/6_reports/*.html", "data/6_reports/*.png"],
    ),
    "write-submission": (
        [PREDICTIONS, INDEX + "pictures.parquet", "data/0_source/images"],
        ["data/5_predictions/submission.csv"],
    ),
    "publish-run": (
        [INDEX + "pictures.parquet", LABELS, TEST_LABELS, "metrics", "data/7_runs"],
        ["state.json"],
    ),
}
MAY_READ = {"publish-run": ["data/6_reports/*", "data/4_checkpoints/model.safetensors"]}


def test_the_contract_holds(repo_root: Path) -> None:
    assert problems(repo_root) == []


def test_the_stages_are_those_of_the_drawing_in_its_order(repo_root: Path) -> None:
    assert [stage.name for stage in read_stages(repo_root)] == list(TABLE)


def table_problems(stages: list[Stage]) -> list[str]:
    found = []
    for stage in stages:
        reads, writes = TABLE[stage.name]
        books = {f"metrics/{stage.snake}.json", f"data/7_runs/{stage.snake}.json"}
        for what, paths, must, may in (
            ("read", stage.data, reads, MAY_READ.get(stage.name, [])),
            ("write", stage.outs - books, writes, [CURVES]),
        ):
            found += [
                f"{stage.name} must {what} {pattern}"
                for pattern in must
                if not any(fnmatch(path, pattern) for path in paths)
            ]
            found += [
                f"{stage.name} must not {what} {path}"
                for path in sorted(paths)
                if not any(fnmatch(path, pattern) for pattern in [*must, *may])
            ]
    return found


def test_the_stages_read_and_write_what_the_drawing_says(repo_root: Path) -> None:
    assert table_problems(read_stages(repo_root)) == []


def test_a_number_of_the_scoring_runs_no_network(repo_root: Path) -> None:
    stages = {stage.name: stage for stage in read_stages(repo_root)}
    rooms = {room for room in stages["tta-evaluate"].code if not room.startswith(STEPS)}
    assert {PACKAGE + room for room in ("scores", "evaluation")} == rooms - stages[
        "predict-views"
    ].code
    assert "tta_evaluate" not in stages["predict-views"].params


def test_every_section_of_params_is_loaded_by_a_stage(repo_root: Path) -> None:
    used = {name for s in read_stages(repo_root) if s.name != "publish-run" for name in s.params}
    sections = {name.partition(".")[0] for name in used}  # runtime.versions is a key of one
    assert sections == set(read_yaml(repo_root / "params.yaml"))


# Tests of the checks: one change in a copy of the repository, and the sentence it must cause.


@pytest.fixture
def copy(repo_root: Path, tmp_path: Path) -> Path:
    for folder in ("src", "stages", "tests"):
        shutil.copytree(
            repo_root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("dvc.yaml", "params.yaml"):
        shutil.copy(repo_root / file, tmp_path)
    return tmp_path


def edit_stage(root: Path, change: Callable[[Any], None], name: str = "train-head") -> None:
    yaml = YAML()
    pipeline = yaml.load(root / "dvc.yaml")
    change(pipeline["stages"][name])
    yaml.dump(pipeline, root / "dvc.yaml")


def add(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def add_room(root: Path) -> None:
    (root / ROOM).mkdir()
    for name in ("__init__", "unused"):
        (root / ROOM / f"{name}.py").touch()


STEP, SCRIPT = "src/headstart/steps/train_head.py", "stages/train_head.py"
LATE = "\n\ndef _late() -> None:\n    {}\n"
ROOM = "src/headstart/extra"  # a room that no stage declares
UNUSED = "headstart.extra.unused"


ABSOLUTE = [
    f"import {UNUSED}",
    f"import {UNUSED} as other",
    f"from {UNUSED} import something",
    "from headstart.extra import unused",
]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        *((f, line) for f in (SCRIPT, STEP) for line in ABSOLUTE),
        (STEP, "from ..extra import unused"),
    ],
)
@pytest.mark.parametrize("form", ["\n{}\n", LATE])
def test_an_import_that_is_not_declared_is_found(
    copy: Path, file: str, form: str, line: str
) -> None:
    add_room(copy)
    add(copy / file, form.format(line))
    found = f"train-head: it imports the room {ROOM} and does not declare it"
    assert any(found in problem for problem in problems(copy))


def test_an_import_of_an_import_is_found(copy: Path) -> None:
    add_room(copy)
    add(copy / "src/headstart/scores/metrics.py", f"\nimport {UNUSED}\n")
    assert any(f"train-head: it imports the room {ROOM}" in problem for problem in problems(copy))


@pytest.mark.parametrize(
    "module", ["terminal/lines", "tracking/live", "checks/whole_file", "terminal/plain_command"]
)
def test_what_changes_no_byte_is_apart_but_not_what_others_import_too(
    copy: Path, module: str
) -> None:
    add_room(copy)
    add(copy / f"src/headstart/{module}.py", f"\nimport {UNUSED}\n")
    assert not any("train-head" in problem for problem in problems(copy))
    add(copy / STEP, f"\nimport {UNUSED}\n")
    assert f"{ROOM}/unused.py" in closure(copy, SCRIPT)


def test_a_room_that_no_import_reaches_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["deps"].append(ROOM))
    assert any("declares the room" in problem for problem in problems(copy))


def test_a_training_that_draws_is_found(copy: Path) -> None:
    found = "train-head: it is no report, and uses the room of the reports."
    add(copy / STEP, "\nfrom headstart.reporting.figures import BLUE\n")
    assert found in problems(copy)
    edit_stage(copy, lambda stage: stage["deps"].append("src/headstart/reporting"))
    assert problems(copy) == [found]


def test_a_step_taken_from_the_list_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["deps"].remove(STEP))
    assert any(STEP in problem for problem in problems(copy))


def test_a_section_that_is_not_declared_is_found(copy: Path) -> None:
    add(copy / SCRIPT, LATE.format('load_section("resize", object)'))
    assert any("loads the section resize" in problem for problem in problems(copy))


def test_a_section_that_no_line_loads_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["params"].append("resize"))
    assert any("declares the section resize" in problem for problem in problems(copy))


def test_pinned_versions_that_are_not_declared_are_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["params"].remove("runtime.pinned"), "resize")
    edit_stage(copy, lambda stage: stage["params"].append("runtime.versions"), "write-submission")
    found = problems(copy)
    assert any("resize: it loads the section runtime.pinned" in problem for problem in found)
    assert any("write-submission: it declares the section runtime" in problem for problem in found)


def test_a_section_by_a_computed_name_is_found(copy: Path) -> None:
    add(copy / SCRIPT, LATE.format("load_section(name, object)"))
    assert any("loads the section name" in problem for problem in problems(copy))


def test_a_section_that_publish_run_does_not_declare_is_found(copy: Path) -> None:
    def change(stage: Any) -> None:
        stage["params"] = sorted(set(read_yaml(copy / "params.yaml")) - {"resize"})

    edit_stage(copy, change, "publish-run")
    assert any(p.startswith("publish-run: it loads the section resize") for p in problems(copy))


def test_a_path_on_the_command_line_that_is_not_declared_is_found(copy: Path) -> None:
    def change(stage: Any) -> None:
        stage["cmd"] += " --extra data/1_index/pictures.parquet"

    edit_stage(copy, change)
    found = problems(copy)
    assert any("is given the path data/1_index/pictures.parquet" in p for p in found)
    assert any("--extra is not both" in p for p in found)


@pytest.mark.parametrize("kind", ["deps", "outs"])
def test_a_declared_path_that_is_not_on_the_command_line_is_found(copy: Path, kind: str) -> None:
    edit_stage(copy, lambda stage: stage[kind].append("data/9_other"))
    assert any("declares the path data/9_other" in problem for problem in problems(copy))


def test_a_path_taken_from_the_deps_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["deps"].remove(LABELS))
    assert any(f"is given the path {LABELS}" in problem for problem in problems(copy))


def test_an_option_that_no_command_gives_is_found(copy: Path) -> None:
    add(copy / SCRIPT, '\nclick.option("--size", type=int)\n')
    assert any("--size is not both" in problem for problem in problems(copy))


def test_a_command_without_its_own_code_is_found(copy: Path) -> None:
    def change(stage: Any) -> None:
        stage["cmd"] = stage["cmd"].replace("PYTHONPATH=src ", "")

    edit_stage(copy, change)
    assert any("must begin with PYTHONPATH=src" in problem for problem in problems(copy))


def test_a_script_whose_errors_have_tracebacks_is_found(copy: Path) -> None:
    script = (copy / SCRIPT).read_text()
    (copy / SCRIPT).write_text(script.replace("cls=PlainCommand, ", ""))
    assert any("must be a PlainCommand" in problem for problem in problems(copy))


def test_an_out_that_costs_the_run_cache_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["outs"].extend(stage.pop("plots")))
    found = "metrics/train_head.json must be a plot or a metric, for DVC's run cache"
    assert any(found in problem for problem in problems(copy))


def test_metrics_that_git_does_not_keep_are_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage.update(plots=["metrics/train_head.json"]))
    assert any("must have cache: false" in problem for problem in problems(copy))


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        (ALWAYS, {"always_changed": False}, "it must have cmd, outs and always_changed: true"),
        (ALWAYS, {"deps": ["params.yaml"]}, "it must have cmd, outs and always_changed: true"),
        (ALWAYS, {"outs": sorted(SOURCES.values())}, "each with persist: true"),
        ("fetch-images", {"deps": ["${dataset.source}"]}, "must not depend on ${dataset.source}"),
        ("fetch-images", {"deps": []}, "it must depend on data/0_source/pictures.json"),
    ],
)
def test_what_would_lose_results_where_a_source_is_absent_is_found(
    copy: Path, name: str, change: dict[str, Any], found: str
) -> None:
    edit_stage(copy, lambda stage: stage.update(change), name)
    assert any(problem.startswith(f"{name}: ") and found in problem for problem in problems(copy))


def test_a_script_that_says_nothing_is_found(copy: Path) -> None:
    script = (copy / SCRIPT).read_text()
    (copy / SCRIPT).write_text(script.replace("run.says(", "print("))
    assert any("must say one line at its end" in problem for problem in problems(copy))


def test_a_long_script_is_found(copy: Path) -> None:
    add(copy / SCRIPT, "\n" * 45)
    assert any("longer than 45 lines" in problem for problem in problems(copy))


def test_a_stage_that_writes_into_a_folder_it_reads_is_found(copy: Path) -> None:
    def change(stage: Any) -> None:
        stage["cmd"] += f" --more {RESIZED} --into {RESIZED}/more"
        stage["deps"].append(RESIZED)
        stage["outs"].append(f"{RESIZED}/more")

    edit_stage(copy, change)
    assert any("into it" in problem for problem in problems(copy))


def test_a_run_under_another_stages_name_is_found(copy: Path) -> None:
    path = copy / SCRIPT
    path.write_text(path.read_text().replace('stage_run("train-head"', 'stage_run("resize"'))
    assert any("must track one run" in problem for problem in problems(copy))


def test_a_second_public_function_is_found(copy: Path) -> None:
    add(copy / STEP, "\n\ndef other() -> None:\n    pass\n")
    assert any("one public function" in problem for problem in problems(copy))


@pytest.mark.parametrize("file", [SCRIPT, STEP, "tests/steps/test_train_head.py"])
def test_a_missing_mirror_is_found(copy: Path, file: str) -> None:
    def forget(stage: Any) -> None:
        stage["deps"] = [dep for dep in stage["deps"] if dep != file]

    (copy / file).unlink()
    edit_stage(copy, forget)
    assert any(f"{Path(file).name} and the stages" in problem for problem in problems(copy))


@pytest.mark.parametrize("folder", ["metrics", "data/7_runs"])
def test_a_result_that_publish_run_misses_is_found(copy: Path, folder: str) -> None:
    edit_stage(copy, lambda stage: stage["deps"].remove(folder), "publish-run")
    sentence = f"publish-run: it does not read {folder}/train_head.json."
    assert sentence in problems(copy)


def test_metrics_of_a_stage_that_is_gone_are_found(copy: Path) -> None:
    (copy / "metrics").mkdir()
    for name in ("train_head", "train_tail"):
        (copy / f"metrics/{name}.json").write_text("{}")
    found = [problem for problem in problems(copy) if problem.startswith("publish-run")]
    assert found == ["publish-run: it reads metrics/train_tail.json, which no stage writes."]


@pytest.mark.parametrize("how", [{"cache": False}, {"persist": True}, {}])
def test_a_publish_run_that_dvc_could_restore_is_found(copy: Path, how: dict[str, bool]) -> None:
    def change(stage: Any) -> None:
        stage["outs"] = [{"state.json": how}]

    edit_stage(copy, change, "publish-run")
    assert any("persist" in problem for problem in problems(copy))


def test_a_stage_that_depends_on_a_run_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["deps"].append("data/7_runs/resize.json"))
    assert any("no function of the inputs" in problem for problem in problems(copy))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('PATH = "data/2_resized"', "knows the path"),
        ('PATH = ".headstart/work"', "opens the work folder"),
        (
            "import importlib\nimportlib.import_module('headstart.evaluation.tta')",
            "no reader can see",
        ),
    ],
)
def test_a_hidden_path_or_import_in_the_package_is_found(
    copy: Path, text: str, sentence: str
) -> None:
    add(copy / STEP, f"\n{text}\n")
    assert any(sentence in problem for problem in problems(copy))


@pytest.mark.parametrize("package", ["headstart", "headstart/scores"])
def test_a_re_export_is_found(copy: Path, package: str) -> None:
    add(copy / f"src/{package}/__init__.py", "from headstart.project.section import Section\n")
    assert any("must be empty" in problem for problem in problems(copy))


@pytest.mark.parametrize(
    "text",
    [
        "gc.freeze()",
        'os.environ["OMP_WAIT_POLICY"] = "PASSIVE"',
        "torch.backends.cudnn.benchmark = True",
        'process = subprocess.Popen(["true"])',
        'if "DVC_STAGE" in os.environ:\n    begin()',
    ],
)
@pytest.mark.parametrize("file", [SCRIPT, STEP])
def test_what_an_import_does_is_found(copy: Path, file: str, text: str) -> None:
    add(copy / file, f"\n{text}\n")
    assert any("does something at import" in problem for problem in problems(copy))


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("    start_stage()  # before torch is loaded\n", "    pass\n"),
        ("from pathlib import Path\n", ""),  # moved above
    ],
)
def test_a_stage_that_imports_before_it_starts_is_found(
    copy: Path, text: str, instead: str
) -> None:
    script = (copy / SCRIPT).read_text()
    assert text in script
    script = script.replace(text, instead)
    if not instead:
        script = script.replace("from headstart.tracking", f"{text}from headstart.tracking", 1)
    (copy / SCRIPT).write_text(script)
    assert any("must call start_stage first" in problem for problem in problems(copy))


def test_a_stage_off_the_drawing_is_found(copy: Path) -> None:
    edit_stage(copy, lambda stage: stage["deps"].append(RESIZED))
    assert table_problems(read_stages(copy)) == [f"train-head must not read {RESIZED}"]
    edit_stage(copy, lambda stage: stage["deps"].remove(LABELS))
    assert f"train-head must read {LABELS}" in table_problems(read_stages(copy))
