"""The table of bench.export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs/export.md"


def export_table(found: Mapping[str, Any]) -> str:
    """Size, time and score of each form of one network, in Markdown."""
    lines = [
        f"| form | MB | ms a picture | {found['score']} of valid | max \\|dp\\| |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['form']} | {row['megabytes']:.1f} | {row['ms']:.1f} | {row['score']:.4f} | "
        f"{row['max_dp']:.1e} |"
        for row in found["export"]
    ]
    about = found["machine"]
    lines += [
        "",
        f"`{found['architecture']}` at {found['size_px']} px, {found['n_valid']} pictures of valid. "
        f"{found['when']}, {about['cores']} cores of {about['chip']}, torch "
        f"{about['torch']}. `{found['command']}`",
    ]
    return "\n".join(lines)
