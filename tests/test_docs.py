"""The pages under docs/: no key is forgotten, and each picture is what its script draws."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.project.section import Section
from headstart.training.phases import FinetuneOptimizerParams, PhaseParams

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("model", [PhaseParams, FinetuneOptimizerParams])
def test_fine_tuning_tells_of_every_key(model: type[Section]) -> None:
    text = (DOCS / "fine_tuning.md").read_text(encoding="utf-8")
    assert [key for key in model.model_fields if f"`{key}`" not in text] == []
    for key in ("stop_when_worse", "monitor", "keep: best", "n_snapshots", "snapshots"):
        assert key in text


def test_the_picture_of_the_schedules_is_drawn_by_its_script(tmp_path: Path) -> None:
    figure = runpy.run_path(str(DOCS / "make_schedules.py"))["schedules_figure"]()
    figure.savefig(tmp_path / "drawn.png", metadata={"Software": None})
    drawn, shown = (
        np.asarray(Image.open(path).convert("L"), dtype=float)
        for path in (tmp_path / "drawn.png", DOCS / "schedules.png")
    )
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 3  # another version of matplotlib may draw a hair apart
