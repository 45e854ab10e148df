"""docs/augmentation.md names every parameter, and its pictures are those that the code makes."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.backbone.backbone import BackboneParams
from headstart.views.augment import AugmentParams

N_BYTES_MAX = 1_500_000


@pytest.fixture
def page(repo_root: Path) -> str:
    return (repo_root / "docs/augmentation.md").read_text(encoding="utf-8")


def linked(page: str) -> list[str]:
    return re.findall(r"!\[[^]]+\]\(augmentation/([\w.]+)\)", page)


def test_every_parameter_has_a_section_with_its_picture(page: str) -> None:
    sections = re.split(r"^## ", page, flags=re.M)
    for field in AugmentParams.model_fields:
        [section] = [text for text in sections if text.startswith(f"`augment.{field}`\n")]
        assert linked(section) == [f"{field}.jpg"]
        assert re.search(r"[Dd]efault", section), field
    for field in ("crop", "crop_frac"):
        assert field in BackboneParams.model_fields and f"`backbone.{field}`" in page


def test_every_choice_is_explained(page: str) -> None:
    choices = [
        "none",
        "side_on",
        "top_down",
        "half_turn",
        "random",
        "center",
        "googlenet",
        "squash",
    ]
    assert [name for name in choices if f"`{name}`" not in page] == []


def test_the_script_makes_the_pictures_that_the_page_shows(
    page: str, repo_root: Path, tmp_path: Path
) -> None:
    script = runpy.run_path(str(repo_root / "docs/make_augmentation.py"))
    script["main"].main(["--to", str(tmp_path)], standalone_mode=False)
    kept = repo_root / "docs/augmentation"
    names = sorted(path.name for path in kept.iterdir())
    assert names == sorted(linked(page)) == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        old, new = (np.asarray(Image.open(folder / name), float) for folder in (kept, tmp_path))
        assert old.shape == new.shape, name
        assert np.abs(old - new).mean() < 1, name  # another processor may round differently
    assert sum((kept / name).stat().st_size for name in names) < N_BYTES_MAX
