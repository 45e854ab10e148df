from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.core.augment import PLAIN, AugmentParams, Draw
from headstart.learn.pictures import cropped, moved
from tests.learn.conftest import picture, small_pictures

AUGMENT = AugmentParams(
    symmetry="top_down",
    max_zoom=1.2,
    random_crop=True,
    shift_px=3,
    rotate_deg=10.0,
    brightness=0.1,
    contrast=0.1,
)
IDS = [str(i) for i in range(11)]
BATCH = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255


def test_an_unscaled_crop_copies_its_pixels() -> None:
    assert np.array_equal(cropped(picture(1), 40, 1.0, PLAIN), picture(1)[:, 4:44])
    corner = replace(PLAIN, crop_x=1.0, crop_y=0.0)
    assert np.array_equal(cropped(picture(1), 30, 0.75, corner), picture(1)[:30, 18:])


def test_a_smaller_picture_is_magnified() -> None:
    assert cropped(picture(1), 96, 1.0, PLAIN).shape == (96, 96, 3)


def test_plain_views_hold_no_matter_how_they_are_batched() -> None:
    pictures = small_pictures()
    whole = torch.cat(list(pictures.plain([IDS])))
    parts = torch.cat(list(pictures.plain([IDS[:4], IDS[4:]])))
    assert whole.dtype == torch.uint8 and whole.shape == (11, 3, 32, 32)
    assert torch.equal(whole, parts)
    wanted = cropped(picture(3), 32, 1.0, PLAIN).transpose(2, 0, 1)
    assert np.array_equal(whole[3].numpy(), wanted)


def test_views_depend_on_seed_view_and_id_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = small_pictures()
    whole = torch.cat(list(pictures.views([IDS], AUGMENT, seed=1, view=2)))
    monkeypatch.setenv("HEADSTART_WORKERS", "3")
    back = [IDS[::-1][:5], IDS[::-1][5:]]
    parts = torch.cat(list(pictures.views(back, AUGMENT, seed=1, view=2))).flip(0)
    torch.testing.assert_close(whole, parts, rtol=0, atol=1e-4)
    for seed, view in ((2, 2), (1, 3)):
        other = torch.cat(list(pictures.views([IDS], AUGMENT, seed, view)))
        assert (whole - other).abs().amax((1, 2, 3)).min() > 1


@pytest.mark.parametrize(
    ("view", "wanted"),
    [
        (PLAIN, BATCH),
        (replace(PLAIN, quarter_turns=2), BATCH.flip(2, 3)),
        (replace(PLAIN, mirrored=True), BATCH.flip(3)),
        (replace(PLAIN, quarter_turns=1), BATCH.rot90(1, (2, 3))),
        (replace(PLAIN, quarter_turns=3), BATCH.rot90(3, (2, 3))),
        (
            replace(PLAIN, shift_x=2, shift_y=-1),
            torch.nn.functional.pad(
                # borders mirrored with the border pixel itself
                torch.cat([BATCH[:, :, :1], BATCH[:, :, :-1]], 2)[:, :, :, 2:],
                (0, 0),
            ),
        ),
    ],
)
def test_moves_are_exact(view: Draw, wanted: torch.Tensor) -> None:
    found = moved(BATCH, [view] * 4)
    torch.testing.assert_close(found[..., : wanted.shape[-1]], wanted, rtol=0, atol=2e-3)


def test_lighting_adds_and_stretches_about_the_mean() -> None:
    grey = torch.full((2, 3, 4, 4), 100.0)
    grey[:, :, 0] = 120.0
    found = moved(grey, [replace(PLAIN, brightness=0.1), replace(PLAIN, contrast=2.0)])
    torch.testing.assert_close(found[0], grey[0] + 25.5)
    torch.testing.assert_close(found[1], (grey[1] - 105) * 2 + 105)
    assert moved(grey, [replace(PLAIN, brightness=1.0)] * 2).max() == 255


def test_a_rotation_turns_about_the_centre_and_mirrors_the_border() -> None:
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 3, 16, 16) * 10
    found = moved(ramp, [replace(PLAIN, angle_deg=10.0)])
    assert found[0, 0, 7:9, 7:9].mean() == pytest.approx(75, abs=0.1)
    # along a column the picture changes by 10 sin(10 degrees) a pixel
    slope = (found[0, 0, 12, 8] - found[0, 0, 4, 8]) / 8
    assert abs(slope) == pytest.approx(10 * np.sin(np.radians(10)), rel=1e-3)
    assert found.min() >= 0 and found.max() <= 150
