"""How long a stage waits for MLflow."""

import pytest

from headstart.project.errors import HeadstartError
from headstart.tracking.deadline import deadline_s


@pytest.mark.parametrize(
    ("given", "seconds"), [(None, 30), ("", 30), ("0", 0), ("0.5", 0.5), ("1e3", 1000)]
)
def test_it_is_30_s_or_what_the_user_says(given: str | None, seconds: float) -> None:
    assert deadline_s({} if given is None else {"HEADSTART_TRACKER_S": given}) == seconds


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "soon", "1,5", " "])
def test_what_is_no_number_of_seconds_is_refused(given: str) -> None:
    with pytest.raises(HeadstartError, match=rf"^HEADSTART_TRACKER_S is '{given}'; it must be "):
        deadline_s({"HEADSTART_TRACKER_S": given})
