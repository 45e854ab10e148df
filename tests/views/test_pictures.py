import hashlib
from dataclasses import replace
from itertools import repeat

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.backbone.frame import Frame
from headstart.project.report import Report, Silent
from headstart.project.workers import N_AHEAD
from headstart.views.augment import AugmentParams
from headstart.views.draws import PLAIN, Draw
from headstart.views.pictures import PART, Pictures, cropped, moved
from tests.small_networks import FORM, SIZE, SQUARE, picture, pixels, small_pictures

AUGMENT = AugmentParams(
    symmetry="top_down",
    max_zoom=1.2,
    stretch=0.1,
    crop="random",
    shift_px=3,
    rotate_deg=10.0,
    brightness=0.1,
    contrast=0.1,
    blur_px=1.0,
    cutout_frac=0.2,
)
IDS = [str(i) for i in range(11)]
OFF: dict[str, object] = {
    "symmetry": "none",
    "max_zoom": 1.0,
    "stretch": 0.0,
    "shift_px": 0,
    "rotate_deg": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "blur_px": 0.0,
    "cutout_frac": 0.0,
}
BATCH = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255


def test_an_unscaled_crop_copies_its_pixels() -> None:
    assert np.array_equal(cropped(picture(1), 40, SQUARE, PLAIN), pixels(1)[:, 4:44])
    corner = replace(PLAIN, crop_x=1.0, crop_y=0.0)
    assert np.array_equal(
        cropped(picture(1), 30, Frame("center", 0.75), corner), pixels(1)[:30, 18:]
    )


def test_a_smaller_picture_is_magnified() -> None:
    assert cropped(picture(1), 96, SQUARE, PLAIN).shape == (96, 96, 3)


def test_a_squash_shows_the_whole_picture_in_plain_and_augmented_views() -> None:
    frame = Frame("squash", 1.0)
    whole = np.asarray(picture(1).resize((32, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(cropped(picture(1), 32, frame, PLAIN), whole)
    pictures = small_pictures(frame=frame)
    augment = AUGMENT.model_copy(update=OFF | {"crop": "random"})
    [plain], [views] = pictures.plain([IDS]), pictures.views([IDS], augment, seed=0, view=0)
    torch.testing.assert_close(plain.to(torch.float32), views, rtol=0, atol=1e-4)
    assert np.array_equal(plain[1].permute(1, 2, 0).numpy(), whole)


def test_a_view_of_which_all_is_off_is_the_plain_one() -> None:
    augment = AUGMENT.model_copy(update=OFF | {"crop": "center"})
    [plain], [views] = (
        small_pictures().plain([IDS]),
        small_pictures().views([IDS], augment, seed=0, view=0),
    )
    torch.testing.assert_close(plain.to(torch.float32), views, rtol=0, atol=1e-4)


@pytest.mark.parametrize("frame", [SQUARE, Frame("squash", 0.9)])
def test_views_of_googlenet_differ_from_one_another(frame: Frame) -> None:
    augment = AUGMENT.model_copy(update=OFF | {"crop": "googlenet"})
    pictures = small_pictures(frame=frame)
    views = torch.stack(
        [next(pictures.views([["3"]], augment, seed=0, view=view))[0] for view in range(20)]
    )
    assert views.shape == (20, 3, 32, 32)
    assert len({tuple(view.flatten().tolist()) for view in views}) == 20


def test_a_blur_keeps_the_mean_and_takes_the_edges() -> None:
    edge = np.zeros((40, 48, 3), np.uint8)
    edge[:, 24:] = 200
    image = Image.fromarray(edge)
    sharp, soft = (cropped(image, 40, SQUARE, replace(PLAIN, blur_px=b)) for b in (0.0, 2.0))
    assert sharp.mean() == pytest.approx(soft.mean(), abs=1)
    steepest = np.abs(np.diff(soft[20, :, 0].astype(float))).max()
    # a Gaussian of 2 px rises by 1 / (2 sqrt(2 pi)) a pixel at most
    assert steepest == pytest.approx(200 / (2 * np.sqrt(2 * np.pi)), rel=0.15)


def test_a_stretch_magnifies_one_axis() -> None:
    wide, high = (cropped(picture(1), 40, SQUARE, replace(PLAIN, stretch=s)) for s in (1.0, -1.0))
    for found, box in ((wide, (14, 0, 34, 40)), (high, (4, 10, 44, 30))):
        part = picture(1).resize((40, 40), Image.Resampling.BILINEAR, box=box)
        assert np.array_equal(found, np.asarray(part))


def test_a_hole_shows_the_mean_colour_and_leaves_the_rest() -> None:
    hole = replace(PLAIN, hole_frac=0.5, hole_x=0.5, hole_y=0.0)  # the upper half lies outside
    found = moved(BATCH, [PLAIN, hole, PLAIN, replace(hole, hole_frac=2.0, hole_y=0.5)])
    torch.testing.assert_close(found[[0, 2]], BATCH[[0, 2]])
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[:4, 4:12] = True
    torch.testing.assert_close(found[1][:, ~inside], BATCH[1][:, ~inside])
    for view, covered in ((1, inside), (3, torch.ones_like(inside))):
        mean = BATCH[view].mean((1, 2))
        torch.testing.assert_close(
            found[view][:, covered], mean[:, None].expand(3, int(covered.sum()))
        )


def test_views_of_earlier_runs_keep_their_pixels() -> None:
    """Pinned before there were more transforms."""
    augment = AUGMENT.model_copy(update={"stretch": 0.0, "blur_px": 0.0, "cutout_frac": 0.0})
    for view, total in ((0, 4383795.66883707), (1, 4293931.109302521)):
        [found] = small_pictures().views([IDS], augment, seed=0, view=view)
        assert found.double().sum().item() == pytest.approx(total, rel=1e-7)
    [plain] = small_pictures().plain([IDS])
    digest = hashlib.sha256(plain.contiguous().numpy().tobytes()).hexdigest()
    assert digest == "b702cff1fb03213dfd2a0f1f45a17d055860c0a9cd0e87e0e8ca17c3914bd678"


def test_plain_views_hold_no_matter_how_they_are_batched() -> None:
    pictures = small_pictures()
    whole = torch.cat(list(pictures.plain([IDS])))
    parts = torch.cat(list(pictures.plain([IDS[:4], IDS[4:]])))
    assert whole.dtype == torch.uint8 and whole.shape == (11, 3, 32, 32)
    assert torch.equal(whole, parts)
    wanted = cropped(picture(3), 32, SQUARE, PLAIN).transpose(2, 0, 1)
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


def test_only_pictures_soon_to_be_shown_are_drawn_and_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADSTART_WORKERS", "2")
    asked: list[str] = []

    def decode(number: str) -> Image.Image:
        asked.append(number)
        return picture(int(number))

    endless = replace(small_pictures(), decode=decode).views(repeat(IDS), AUGMENT, seed=1, view=2)
    first, second = next(endless), next(endless)
    assert torch.equal(first, second)
    assert len(asked) <= 2 * len(IDS) + PART * N_AHEAD * 2
    endless.close()  # type: ignore[attr-defined]


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


def test_remembered_pictures_are_decoded_once_while_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded: list[str] = []

    def decode(number: str) -> Image.Image:
        decoded.append(number)
        return picture(int(number))

    class Copies:
        history = (FORM,)

        def __init__(self, size_px: int) -> None:
            self.size_px = size_px

        def encoded(self, number: str) -> bytes:
            raise AssertionError("a CPU decodes with Pillow")

        def decode(self, number: str) -> Image.Image:
            return decode(number if self.size_px == SIZE else f"{self.size_px}")

        def at(self, size_px: int, _: Report) -> "Copies":
            return Copies(size_px) if size_px == 16 else self

    monkeypatch.setattr("headstart.views.pictures.KEPT_BYTES", 2 * 4 * 40 * 48)
    pictures = Pictures.of(Copies(SIZE), SIZE, SQUARE, torch.device("cpu")).remembered()
    ids = ["0", "1", "2"]
    [first], [second] = (list(pictures.plain([ids])) for _ in range(2))
    [wanted] = small_pictures().plain([ids])
    assert torch.equal(first, wanted) and torch.equal(second, wanted)
    assert sorted(decoded) == ["0", "1", "2", "2"]  # the third found no room
    decoded.clear()
    smaller = pictures.at(16, Silent())
    for _ in range(2):
        list(smaller.plain([["0"]]))
    assert decoded == ["16"]
    decoded.clear()
    list(pictures.at(20, Silent()).plain([["0"]]))
    assert decoded == []  # whose copies would save little: the same pictures, remembered already
