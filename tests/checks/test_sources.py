"""Which sources may be absent, and which are refused before anything is lost."""

from pathlib import Path

import pytest

from headstart.checks.sources import checked_sources
from headstart.project.params import ParamsError
from tests.checks.conftest import Edit


def test_a_known_source_may_be_absent_and_another_may_not(edit: Edit) -> None:
    named = {"dataset.source": "/no/pictures", "backbone.weights": "/no/weights.pth"}
    edit(named)
    with pytest.raises(ParamsError, match=r"dataset\.source is '/no/pictures', which is not a fol"):
        checked_sources({})
    assert checked_sources(named) == named
    with pytest.raises(ParamsError, match=r"backbone\.weights is '/no/weights\.pth', which is not"):
        checked_sources(named | {"backbone.weights": "/other"})


def test_a_file_of_git_is_never_absent(edit: Edit) -> None:
    edit({"dataset.source": "sources/textile.yaml"})
    known = checked_sources({})
    Path("sources/textile.yaml").unlink()
    with pytest.raises(ParamsError, match="which names no source"):
        checked_sources(known)


def test_a_wrong_number_is_refused_also_where_all_is_known(edit: Edit) -> None:
    known = checked_sources({})
    edit({"train_head.lr": -1.0})
    with pytest.raises(ParamsError, match=r"train_head\.lr is -1\.0"):
        checked_sources(known)
