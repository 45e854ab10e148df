"""Revision, commands, machine and time, from the records of the stages."""

from typing import Any

import pytest

from headstart.reporting.facts_reproduce import CHANGES, COMMIT, reproduce_facts
from headstart.tracking.surroundings import surroundings

TEXT = "head:\n  lr: 1\n"
DAY_MS = 1_795_812_658_325  # 2026-11-27 20:50 UTC


def record(stage: str, start_s: float, seconds: float, **tags: str) -> dict[str, Any]:
    names = {"commit": COMMIT, "changes": CHANGES}
    started = DAY_MS + int(1000 * start_s)
    return {
        "stage": stage,
        "started_ms": started,
        "ended_ms": started + int(1000 * seconds),
        "tags": {names.get(name, f"headstart.{name}"): value for name, value in tags.items()},
    }


def test_stages_stand_in_the_order_in_which_they_ran() -> None:
    found = reproduce_facts([record("b", 60, 1234.5), record("a", 0, 2)], TEXT)
    assert [(ran.stage, ran.seconds) for ran in found.stages] == [("a", "2.0"), ("b", "1,234.5")]
    assert [ran.at for ran in found.stages] == ["2026-11-27 20:50", "2026-11-27 20:51"]
    assert found.total == "21 minutes"
    assert found.params_text == TEXT


@pytest.mark.parametrize(
    ("seconds", "total"), [(99, "99 s"), (180, "3 minutes"), (9000, "2.5 hours")]
)
def test_the_total_has_a_unit_that_a_person_would_use(seconds: float, total: str) -> None:
    assert reproduce_facts([record("a", 0, seconds)], TEXT).total == total


def test_a_clean_revision_needs_no_params() -> None:
    found = reproduce_facts([record("a", 0, 1, commit="c" * 40, changes="none")], TEXT)
    assert found.sentences == (
        f"The result was made at revision {'c' * 40}.",
        "No file of the project had changes that the revision lacks.",
    )
    assert found.commands == (f"git checkout {'c' * 40}", "pip install -e .", "dvc repro")
    assert found.stages[0].commit == "c" * 10


def test_changed_files_are_named_and_changed_params_are_a_step_of_the_commands() -> None:
    records = [
        record("a", 0, 1, commit="c" * 40, changes="params.yaml\nsrc/x.py"),
        record("b", 1, 1, commit="c" * 40, changes="params.yaml"),
    ]
    found = reproduce_facts(records, TEXT)
    assert found.sentences[1] == (
        "These files had changes that no commit held: params.yaml, src/x.py."
    )
    assert found.commands[1] == "# write the params below into params.yaml"
    only_code = reproduce_facts([record("a", 0, 1, commit="c", changes="src/x.py")], TEXT)
    assert len(only_code.commands) == 3


def test_results_that_dvc_kept_name_every_revision() -> None:
    records = [record("a", 0, 1, commit="a" * 40), record("b", 9, 1, commit="b" * 40)]
    found = reproduce_facts(records, TEXT)
    assert found.sentences[:2] == (
        f"The result was made at revision {'b' * 40}.",
        "DVC kept results of earlier stages, so 2 revisions took part: see the table.",
    )
    assert not any("changes" in sentence for sentence in found.sentences)  # none were recorded


def test_without_a_repository_the_params_alone_are_given() -> None:
    found = reproduce_facts([record("a", 0, 1)], TEXT)
    assert found.sentences[0].startswith("No git revision was recorded")
    assert found.commands[0].startswith("# write the params")


def test_several_machines_are_told_with_their_stages() -> None:
    records = [record("a", 0, 1, machine="M"), record("b", 1, 1, machine="M", experiment="otter")]
    assert reproduce_facts(records, TEXT).machines == ("M",)
    other = [*records, record("c", 2, 1, machine="GPU"), record("d", 3, 1)]
    assert reproduce_facts(other, TEXT).machines == ("M (a, b)", "GPU (c)", "not recorded (d)")
    assert reproduce_facts([record("d", 3, 1)], TEXT).machines == ()


def test_the_experiment_is_named() -> None:
    found = reproduce_facts([record("a", 0, 1, commit="c", experiment="otter")], TEXT)
    assert "It is of the experiment otter." in found.sentences


def test_the_tags_are_those_that_tracking_writes() -> None:
    tags = surroundings()
    found = reproduce_facts([{**record("a", 0, 1), "tags": tags}], TEXT)
    assert found.machines == (tags["headstart.machine"],)
    assert found.versions == (tags["headstart.versions"],)
