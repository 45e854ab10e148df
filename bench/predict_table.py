"""The table of bench.predict."""

from collections.abc import Mapping
from typing import Any


def predict_table(found: Mapping[str, Any]) -> str:
    """Pictures a second, and the ratio, of each kind of file, in Markdown."""
    lines = [
        "| files | the network alone, pictures/s | `predict`, pictures/s | ratio |",
        "|---|---|---|---|",
    ]
    for row in found["predict"]:
        ratio = row["predict"] / row["network"]
        lines.append(
            f"| {row['files']} | {row['network']:.0f} | {row['predict']:.0f} | {ratio:.2f} |"
        )
    about = found["machine"]
    return "\n".join(
        [
            *lines, "",
            f"`{found['architecture']}` at {found['size_px']} px, {found['n']} files, medians of "
            f"{found['rounds']} rounds, {found['when']}, {about['cores']} cores of {about['chip']}, "
            f"torch {about['torch']}. `{found['command']}`",
        ]
    )  # fmt: skip
