import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.fetching.image_sources import PackageImages, read_images_source
from headstart.image_files.tree import list_tree
from headstart.kept.records import made_once
from headstart.project.located import locate
from headstart.project.report import Silent
from headstart.project.versions import PICTURES, versions
from headstart.steps.resize import ResizeParams, resize


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def params(size_px: int = 32, codec: str = "jpeg", quality: int = 90) -> ResizeParams:
    return ResizeParams.model_validate({"size_px": size_px, "codec": codec, "quality": quality})


def stored(data: bytes, how: ResizeParams) -> bytes:
    [(name, result)] = resize([("id", "x.png")], {"x.png": data}, how, Silent())
    assert name == "id"
    return result


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 50), (64, 32)), ((50, 100), (32, 64)), ((33, 33), (32, 32)), ((1000, 33), (970, 32)),
     ((20, 90), (20, 90)), ((32, 40), (32, 40)), ((1, 1), (1, 1))],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_the_shorter_side_comes_to_size_and_small_ones_stay(
    size: tuple[int, int], expected: tuple[int, int], codec: str
) -> None:
    image = opened(stored(encoded(noise(*size)), params(codec=codec)))
    assert (image.size, image.mode, image.format) == (expected, "RGB", codec.upper())


def test_it_averages_rather_than_skips() -> None:
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255  # finer than the stored picture can show: must become grey, not stripes
    small = np.asarray(opened(stored(encoded(Image.fromarray(stripes)), params(codec="png"))))
    assert small.std() < 8
    assert small.mean() == pytest.approx(127.5, abs=4)


def test_png_is_lossless_and_jpeg_nearly() -> None:
    image = noise(30, 30)
    assert (np.asarray(opened(stored(encoded(image), params(codec="png")))) == image).all()
    smooth = noise(4, 4).resize((30, 30), Image.Resampling.BICUBIC)
    lossy = np.asarray(opened(stored(encoded(smooth), params(quality=95)))).astype(int)
    assert 0 < np.abs(lossy - np.asarray(smooth)).mean() < 2


def test_colour_is_not_subsampled() -> None:
    image = Image.open(io.BytesIO(stored(encoded(noise(30, 30)), params())))
    assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # type: ignore[attr-defined]


def test_a_plain_small_jpeg_keeps_its_bytes_and_others_do_not() -> None:
    small = encoded(noise(30, 30), "JPEG", quality=50)
    assert stored(small, params()) == small
    assert opened(stored(small, params(codec="png"))).format == "PNG"
    assert stored(small, params(size_px=29)) != small
    turned = Image.Exif()
    turned[0x0112] = 6
    result = opened(stored(encoded(noise(30, 20), "JPEG", exif=turned), params()))
    assert result.size == (20, 30)
    assert not result.getexif()
    for mode in ("L", "CMYK"):
        other = encoded(noise(30, 30).convert(mode), "JPEG")
        assert opened(stored(other, params())).mode == "RGB"


def test_a_big_jpeg_reduced_in_the_decoder_is_close_to_one_that_is_not() -> None:
    big = noise(8, 6).resize((800, 600), Image.Resampling.BICUBIC)
    by_draft = np.asarray(opened(stored(encoded(big, "JPEG", quality=95), params(60, "png"))))
    in_full = np.asarray(opened(stored(encoded(big), params(60, "png"))))
    assert by_draft.shape == in_full.shape == (60, 80, 3)
    assert np.abs(by_draft.astype(int) - in_full).mean() < 1.5


@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_the_bytes_do_not_depend_on_workers(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{i}.png": encoded(noise(40 + i, 50, seed=i)) for i in range(30)}
    rows = [(f"id{i}", f"{i}.png") for i in range(30)]
    results = []
    for n in ("1", "4", "4"):
        monkeypatch.setenv("HEADSTART_WORKERS", n)
        results.append(list(resize(rows, files, params(codec=codec), Silent())))
    assert results[0] == results[1] == results[2]
    assert [name for name, _ in results[0]] == [name for name, _ in rows]


def test_real_pictures_at_their_own_size_keep_their_bytes(
    monkeypatch: pytest.MonkeyPatch, repo_root: Path
) -> None:
    monkeypatch.chdir(repo_root)
    source = read_images_source("sources/textile.yaml")
    assert isinstance(source, PackageImages)
    folder = locate(source)
    names = list(list_tree(folder).sizes)[:1000:100]
    files = {name: (folder / name).read_bytes() for name in names}
    for name, data in resize([(n, n) for n in names], files, params(250), Silent()):
        assert data == files[name]
    for _, data in resize([(n, n) for n in names], files, params(128), Silent()):
        assert opened(data).size == (128, 128)


def test_the_manifest_tells_what_shapes_the_bytes() -> None:
    told = params().manifest().keys()
    assert told >= {"size_px", "codec", "quality", "pillow", "numpy", "pyarrow"}
    assert told - versions(*PICTURES).keys() == {"size_px", "codec", "quality", "pyarrow"}
    png = params(codec="png").manifest()
    assert "quality" not in png
    assert png == params(codec="png", quality=1).manifest()


@pytest.mark.parametrize(
    "wrong", [{"size_px": 4}, {"codec": "webp"}, {"quality": 96}, {"quality": 0}, {"size_px": 32.0}]
)
def test_params_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ResizeParams.model_validate({"size_px": 32, "codec": "png", "quality": 90} | wrong)


def test_a_picture_is_resized_once_for_all_that_shapes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    rows = [(f"id{n}", f"{n}.png") for n in range(4)]
    files = {path: encoded(noise(40, 48, seed=n)) for n, (_, path) in enumerate(rows)}
    kept = list(resize(rows[1:3], files, params(), Silent(), made_once))
    all_of_them = list(resize(rows, files, params(), Silent()))
    assert kept == all_of_them[1:3]
    gone = {path: files[path] for path in ("0.png", "3.png")}  # what was resized is not read again
    assert list(resize(rows, gone, params(), Silent(), made_once)) == all_of_them
    for other in (params(size_px=30), params(codec="png"), params(quality=91)):
        with pytest.raises(KeyError, match=r"1\.png"):
            list(resize(rows, gone, other, Silent(), made_once))
