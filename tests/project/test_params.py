"""params.yaml: one door for numbers, and a sentence for whatever is wrong with one."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from headstart.project.params import ParamsError, read_params, read_section
from headstart.project.section import Section
from headstart.steps.tta_evaluate import TtaEvaluateParams
from headstart.training.phases import PhasesParams


class Phase(Section):
    lr: float = Field(gt=0, description="learning rate, above 0")


class TrainHeadParams(Section):
    lr: float = Field(gt=0, description="learning rate, above 0")
    n_epochs: int = Field(ge=1, description="epochs, at least 1")
    phases: tuple[Phase, ...] = Field(strict=False, description="phases, in order")


ROOT = Path(__file__).parents[2]
GOOD = "train_head: {lr: 0.01, n_epochs: 3, phases: [{lr: 0.1}]}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def sentences(path: Path, name: str = "train_head") -> list[str]:
    with pytest.raises(ParamsError) as caught:
        read_section(name, TrainHeadParams, path)
    return str(caught.value).splitlines()


def test_a_section_becomes_one_frozen_object(tmp_path: Path) -> None:
    params = read_section("train_head", TrainHeadParams, write(tmp_path, GOOD))
    assert params == TrainHeadParams(lr=0.01, n_epochs=3, phases=(Phase(lr=0.1),))
    with pytest.raises(ValidationError):
        params.lr = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("lr", ["1e-05", "1.0e-5", "0.00001"])
def test_numbers_are_read_by_the_rules_of_yaml_1_2(tmp_path: Path, lr: str) -> None:
    """`dvc exp run -S` writes 0.00001 as 1e-05, which YAML 1.1 takes for text."""
    path = write(tmp_path, GOOD.replace("0.01", lr))
    assert read_section("train_head", TrainHeadParams, path).lr == 1e-05


def test_the_file_of_the_working_directory_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    assert read_section("train_head", TrainHeadParams).n_epochs == 3


def test_all_problems_of_a_section_come_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "train_head: {lr: -1, phases: [{lr: fast}], n_epoch: 3}\n")
    found = sentences(path)
    assert len(found) == 4
    for key, parts in {
        "train_head.lr is -1": ["greater than 0", "learning rate, above 0"],
        "train_head.phases.0.lr is 'fast'": ["number"],
        "train_head.n_epochs is missing": ["epochs, at least 1"],
        "train_head.n_epoch is not a key": ["known: lr, n_epochs, phases"],
    }.items():
        [line] = [line for line in found if key in line]
        assert line.startswith(f"{path}: ")
        assert all(part in line for part in parts), line


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("'3'", "is '3': it must be a whole number"),
        ("3.5", "is 3.5: it must be a whole number"),
        ("true", "is true: it must be a whole number"),
        ("0", "is 0: it must be greater than or equal to 1"),
    ],
)
def test_nothing_is_converted_in_silence(tmp_path: Path, value: str, sentence: str) -> None:
    path = write(tmp_path, GOOD.replace("n_epochs: 3", f"n_epochs: {value}"))
    [line] = sentences(path)
    assert "train_head.n_epochs" in line and sentence in line


@pytest.mark.parametrize(
    ("costs", "sentence"),
    [
        ("{cat: {dog: -1}}", "costs.cat.dog is -1: it must be greater than or equal to 0 (single"),
        ("{cat: {seed: x}}", "costs.cat.seed is 'x': it must be a number (single_label: what"),
        ("{cat: 3}", "costs.cat is 3: it must be a mapping (single_label: what"),
        ("{0: {cat: 3}}", "costs.0 is the name 0: it must be text, in quotes (single_label: what"),
        ("{}", "costs is a mapping (): it must have at least 1 item, not 0 (single_label: what"),
        ("{cat: {cat: 2}}", "costs.cat.cat is 2, but the right class costs 0."),
    ],
)
def test_a_problem_inside_a_mapping_names_its_keys(
    tmp_path: Path, costs: str, sentence: str
) -> None:
    values = read_params(ROOT / "params.yaml")
    text = (ROOT / "params.yaml").read_text().replace("costs: null", f"costs: {costs}")
    path = write(tmp_path, text)
    assert values["tta_evaluate"]["costs"] is None
    with pytest.raises(ParamsError) as caught:
        read_section("tta_evaluate", TtaEvaluateParams, path)
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{path}: tta_evaluate.{sentence}")


def test_a_missing_section_names_those_there_are(tmp_path: Path) -> None:
    [line] = sentences(write(tmp_path, "resize: {}\nhead: {}\n"))
    assert "no section train_head" in line and "resize, head" in line


def test_an_empty_section_misses_all_its_keys(tmp_path: Path) -> None:
    found = sentences(write(tmp_path, "train_head:\n"))
    assert len(found) == 3 and all("is missing" in line for line in found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [", "is not valid YAML"), ("- 1", "must hold sections"), ("", "must hold sections")],
)
def test_a_file_that_holds_no_sections(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ParamsError, match=sentence):
        read_params(write(tmp_path, text))


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml does not exist; copy one from recipes/"):
        read_params(tmp_path / "params.yaml")


def test_a_problem_inside_a_list_names_its_own_keys(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("t:\n  seed: 0\n  phases: [{trainable: head, lr: fast, cycle: 1}]\n")
    with pytest.raises(ParamsError) as caught:
        read_section("t", PhasesParams, path)
    sentences = [line.removeprefix(f"{path}: t.") for line in str(caught.value).splitlines()]
    assert any(s.startswith("phases.0.lr is 'fast': ") for s in sentences)
    assert any(s.startswith("phases.0.cycle is not a key here (known: train") for s in sentences)
    assert "phases.0.cycles is missing (number of cycles, 1 to 1,000)." in sentences
    assert not any(s.startswith("phases is") for s in sentences)
