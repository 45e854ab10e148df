"""Masks are told from pictures by names alone, and a class that is called mask stays one."""

import pytest

from headstart.indexing.masks import is_of_pictures, masks_among


@pytest.mark.parametrize(
    ("paths", "masks"),
    [
        (["images/1.png", "masks/1.png"], ["masks/1.png"]),
        (["a/images/1.png", "a/masks/1.png", "masks/2.png"], ["a/masks/1.png"]),
        (["Images/a/1.png", "Ground_Truth/a/1.png"], ["Ground_Truth/a/1.png"]),
        (["VOC/JPEGImages/1.jpg", "VOC/SegmentationClass/1.png"], ["VOC/SegmentationClass/1.png"]),
        (["benign (1).png", "benign (1)_mask.png", "benign (1)_mask_1.png"],
         ["benign (1)_mask.png", "benign (1)_mask_1.png"]),
        (["a/7.jpg", "a/7_segmentation.png", "b/7_segmentation.png"], ["a/7_segmentation.png"]),
        (["mask/1.png", "no_mask/1.png"], []),
        (["masks/1.png", "hats/1.png"], []),
        (["a/unmask.png", "a/un.png", "a/x_mask.png", "a/mask.png", "a/_mask.png"], []),
        ([], []),
    ],
)  # fmt: skip
def test_masks(paths: list[str], masks: list[str]) -> None:
    found = masks_among(paths)
    assert [path for path in paths if path in found] == masks
    assert bool(found) == bool(masks)


def test_they_are_named() -> None:
    paths = ["a/images/1.png", "a/masks/1.png", "a/masks/2.png", "b/1.png", "b/1_mask.png"]
    note = masks_among(paths).note()
    assert "left aside: a/masks (2), b, beside their pictures (1). If they are" in note


def test_a_name_that_says_only_that_pictures_are_inside() -> None:
    names = ("images", "IMG", "JPEGImages", "photos", "cats")
    assert [is_of_pictures(name) for name in names] == [True, True, True, False, False]
