from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from headstart.project.files import write_csv
from headstart.reporting.label_audit import N_SHOWN, read_audit, suspects
from headstart.reporting.thumbnails import Thumbnails


def audit_of(n: int, n_flagged: int, n_judged: int) -> pd.DataFrame:
    """As the step returns it: `n` labels, the first `n_flagged` of which may be wrong."""
    p = [0.9 if number < n_flagged else 0.1 for number in range(n)]
    return pd.DataFrame(
        {
            "rank": range(1, n + 1),
            "id": [f"{number:03d}" for number in range(n)],
            "path": [f"NA/{number}.jpg" for number in range(n)],
            "split": ["train" if number % 2 else "test" for number in range(n)],
            "given": ["NA"] * n,
            "suggested": [""] * n,
            "p_given": p,
            "p_suggested": p,
            "p_wrong": [value if number < n_judged else None for number, value in enumerate(p)],
            "flagged": [number < n_flagged for number in range(n)],
        }
    )


@pytest.fixture
def decoded() -> list[str]:
    return []


@pytest.fixture
def thumbnails(decoded: list[str]) -> Thumbnails:
    def decode(picture: str) -> Image.Image:
        decoded.append(picture)
        return Image.new("RGB", (40, 30))

    return Thumbnails(decode)


def test_a_table_that_was_written_is_read_again(tmp_path: Path) -> None:
    audit = audit_of(5, 1, 4)
    write_csv(tmp_path / "audit.csv", audit)
    pd.testing.assert_frame_equal(read_audit(tmp_path / "audit.csv"), audit)


def test_the_first_are_shown_with_what_is_known_of_them(
    thumbnails: Thumbnails, decoded: list[str]
) -> None:
    shown = suspects(audit_of(50, 30, 50), thumbnails).shown
    assert len(shown) == N_SHOWN
    one = shown[1]
    assert (one.given, one.suggested, one.p_wrong, one.split) == ("NA", "no label", "90%", "train")
    assert (one.path, one.name, one.number) == ("NA/1.jpg", "1.jpg", 1)
    assert len(thumbnails.rules()) == N_SHOWN == len(decoded)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            (50, 30, 50),
            "30 of 50 pictures may have a wrong label: 15 of 25 in train, 15 of 25 in test.",
        ),
        ((50, 30, 50), "In all, they expect a wrong label in about 58.0% of the pictures."),
        ((50, 30, 50), "The 24 most doubtful are shown."),
        ((50, 0, 50), "None of 50 pictures probably has a wrong label."),
        ((50, 2, 48), "2 pictures are not judged, since their classes have too few."),
        (
            (3, 0, 0),
            "The labels are not judged: there are too few labelled pictures of each class.",
        ),
        ((0, 0, 0), "The labels are not judged"),
    ],
)
def test_how_many_are_doubted_is_said(counts: tuple[int, int, int], said: str) -> None:
    assert said in " ".join(suspects(audit_of(*counts), None).sentences)


def test_without_pictures_nothing_is_decoded() -> None:
    assert {one.number for one in suspects(audit_of(9, 3, 9), None).shown} == {None}
