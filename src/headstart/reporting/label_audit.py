"""Labels that may be wrong, for the page: which pictures, and how many."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from headstart.labels.labels import SPLITS
from headstart.reporting.thumbnails import Thumbnails

N_SHOWN = 24
"""Labels that the page shows; label_audit.csv lists all."""
NO_LABEL = "no label"


class Suspect(NamedTuple):
    """A picture whose label may be wrong."""

    number: int | None
    """Of its thumbnail; None: without a picture."""
    given: str
    suggested: str
    p_wrong: str
    split: str
    path: str
    name: str
    """The file's name, the last part of its path."""


@dataclass(frozen=True)
class Suspects:
    """What the page says of wrong labels.

    Attributes:
        sentences: how many pictures may have a wrong label, in all and in each split, and which are not
            judged.
        shown: the first N_SHOWN of them, the most doubtful first.
    """

    sentences: tuple[str, ...]
    shown: tuple[Suspect, ...]


def read_audit(path: Path) -> pd.DataFrame:
    """The table of audit-labels; a picture without a label has an empty text."""
    texts = dict.fromkeys(("id", "path", "split", "given", "suggested"), str)
    missing = {
        key: [""] for key in ("p_given", "p_suggested", "p_wrong")
    }  # a class may be called NA
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing)


def suspects(audit: pd.DataFrame, thumbnails: Thumbnails | None) -> Suspects:
    """What the page shows of `audit`, as read_audit returns it; None: without pictures."""
    flagged = audit[audit["flagged"]]
    shown = [_suspect(row, thumbnails) for _, row in flagged.head(N_SHOWN).iterrows()]
    return Suspects(tuple(filter(None, _sentences(audit, flagged))), tuple(shown))


def _suspect(row: "pd.Series[str]", thumbnails: Thumbnails | None) -> Suspect:
    return Suspect(
        None if thumbnails is None else thumbnails.number(row["id"]),
        row["given"] or NO_LABEL,
        row["suggested"] or NO_LABEL,
        f"{float(row['p_wrong']):.0%}",
        row["split"],
        row["path"],
        PurePosixPath(row["path"]).name,
    )


def _sentences(audit: pd.DataFrame, flagged: pd.DataFrame) -> list[str]:
    n_all, n_judged, n = len(audit), int(audit["p_wrong"].notna().sum()), len(flagged)
    if not n_judged:
        return ["The labels are not judged: there are too few labelled pictures of each class."]
    of_splits = ", ".join(
        f"{(flagged['split'] == split).sum():,} of {in_split:,} in {split}"
        for split in SPLITS
        if (in_split := int((audit["split"] == split).sum()))
    )
    counts = f"{n:,} of {n_all:,} pictures may have a wrong label: {of_splits}."
    unjudged, share = n_all - n_judged, float(audit["p_wrong"].mean())
    return [
        counts if n else f"None of {n_all:,} pictures probably has a wrong label.",
        "Linear classifiers on the cached activations say so, none of which saw the picture or its "
        "group.",
        f"In all, they expect a wrong label in about {share:.1%} of the pictures.",
        f"The {N_SHOWN} most doubtful are shown." if n > N_SHOWN else "",
        f"{unjudged:,} pictures are not judged, since their classes have too few."
        if unjudged
        else "",
    ]
