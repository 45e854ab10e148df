import hashlib
import io
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import PIL
import pyarrow as pa
import pytest
from PIL import Image

from headstart.pictures.resized import N_ROWS_A_BATCH, ResizedPictures, write_resized
from headstart.project.report import Shown, Silent, T

SOURCE = Path(__file__).parents[2] / "src"
ROWS = [(f"{i:04d}", bytes([i % 256]) * (i + 1)) for i in range(2 * N_ROWS_A_BATCH + 3)]
MANIFEST: dict[str, str | int] = {
    "size_px": 8, "codec": "jpeg", "quality": 90, "pillow": "12.0",
}  # fmt: skip
MANIFEST_OF_PNG: dict[str, str | int] = {"size_px": 8, "codec": "png", "pillow": "13.0.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_resized(tmp_path / "resized", ROWS, MANIFEST)
    return tmp_path / "resized"


def test_every_picture_is_found_by_its_id(folder: Path) -> None:
    resized = ResizedPictures(folder)
    assert resized.ids == [name for name, _ in ROWS]
    assert len(resized) == len(ROWS)
    assert all(resized.encoded(name) == data for name, data in reversed(ROWS))
    with pytest.raises(KeyError, match="holds no picture 'nobody'"):
        resized.encoded("nobody")


def test_it_can_be_pickled_and_read_by_threads(folder: Path) -> None:
    resized = pickle.loads(pickle.dumps(ResizedPictures(folder)))
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(resized.encoded, [name for name, _ in ROWS] * 5)
    assert list(found) == [data for _, data in ROWS] * 5


def test_decode_gives_rgb(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 3), (1, 2, 3)).save(buffer, "PNG")
    counts = write_resized(tmp_path, [("a", buffer.getvalue())], MANIFEST_OF_PNG)
    assert counts == {"n_pictures": 1, "n_bytes": (tmp_path / "pictures.arrow").stat().st_size}
    image = ResizedPictures(tmp_path).decode("a")
    assert (image.mode, image.size) == ("RGB", (5, 3))
    assert image.getpixel((0, 0)) == (1, 2, 3)


def test_other_tools_can_read_the_layout(folder: Path) -> None:
    with pa.ipc.open_file(folder / "pictures.arrow") as file:
        row = file.read_all().slice(70, 1).to_pylist()[0]
    image = {"bytes": ROWS[70][1], "path": "0070.jpg"}
    sha256 = hashlib.sha256(ROWS[70][1])
    assert row == {"id": "0070", "image": image, "sha256": sha256.digest()}
    assert ResizedPictures(folder).sha256["0070"] == sha256.hexdigest()


def test_the_digest_tells_apart_what_matters(folder: Path, tmp_path: Path) -> None:
    digest = ResizedPictures(folder).digest
    write_resized(tmp_path / "same", iter(ROWS), MANIFEST)
    assert ResizedPictures(tmp_path / "same").digest == digest
    write_resized(tmp_path / "fewer", ROWS[1:], MANIFEST)
    assert ResizedPictures(tmp_path / "fewer").digest != digest
    write_resized(tmp_path / "other", ROWS, {**MANIFEST, "size_px": 9})
    assert ResizedPictures(tmp_path / "other").digest != digest
    # the same pictures, stored in the same form by other code
    write_resized(tmp_path / "bytes", [*ROWS[:-1], (ROWS[-1][0], b"x")], MANIFEST)
    assert ResizedPictures(tmp_path / "bytes").digest != digest
    for name in ("pictures.arrow", "manifest.json"):
        assert (folder / name).read_bytes() == (tmp_path / "same" / name).read_bytes()


def test_ids_must_rise(tmp_path: Path) -> None:
    for wrong in ([("b", b""), ("a", b"")], [("a", b""), ("a", b"")]):
        with pytest.raises(ValueError, match="ids must rise"):
            write_resized(tmp_path, wrong, MANIFEST)
    assert not list(tmp_path.iterdir())


def test_a_manifest_of_another_file_is_refused(folder: Path, tmp_path: Path) -> None:
    write_resized(tmp_path / "other", ROWS[:9], MANIFEST)
    (tmp_path / "other" / "manifest.json").replace(folder / "manifest.json")
    with pytest.raises(ValueError, match="does not hold the pictures of its manifest"):
        ResizedPictures(folder)


def test_a_manifest_that_does_not_tell_the_form_is_refused(tmp_path: Path) -> None:
    write_resized(tmp_path, ROWS, {"size_px": 8, "codec": "jpeg", "pillow": "12.0"})
    with pytest.raises(
        ValueError, match=r"manifest\.json does not say how its pictures are stored"
    ):
        ResizedPictures(tmp_path)


def test_an_empty_set_can_be_stored(tmp_path: Path) -> None:
    write_resized(tmp_path, [], MANIFEST)
    assert ResizedPictures(tmp_path).ids == []


def stored(folder: Path, size_px: int, n: int = 3, seed: int = 0) -> ResizedPictures:
    """Pictures of noise whose shorter side is `size_px`."""
    random, rows = np.random.default_rng(seed), []
    for number in range(n):
        noise = random.integers(0, 256, (size_px, 2 * size_px, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG", quality=92)
        rows.append((f"{number}", buffer.getvalue()))
    write_resized(folder, rows, {**MANIFEST, "size_px": size_px, "quality": 92})
    return ResizedPictures(folder)


def test_a_small_input_reads_copies_that_are_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    resized = stored(tmp_path / "resized", size_px=256)

    class Told(Silent):
        labels: ClassVar[list[str]] = []
        sizes: ClassVar[list[int]] = []

        def progress(
            self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
        ) -> Iterator[T]:
            self.labels.append(label)
            self.sizes.append(n)
            yield from items

    copies = resized.at(64, Told())
    assert [form.size_px for form in copies.history] == [256, 84]
    assert copies.history[1].pillow == PIL.__version__ != copies.history[0].pillow
    assert pickle.loads(pickle.dumps(copies)).history == copies.history
    small = copies.decode("1")
    assert small.size == (168, 84)  # 1.3 * 64
    reference = resized.decode("1").resize((168, 84), Image.Resampling.BICUBIC)
    difference = np.asarray(small, np.int64) - np.asarray(reference)
    assert np.abs(difference).mean() < 8  # JPEG at quality 92
    again = ResizedPictures(tmp_path / "resized").at(64, Told()).decode("1")
    assert small == again
    assert Told.labels == ["copies of 84 px"]
    # one more picture: the copies of the others are not made again
    more = stored(tmp_path / "more", size_px=256, n=4)
    assert small == more.at(64, Told()).decode("1")
    assert (Told.labels, Told.sizes) == (["copies of 84 px"] * 2, [3, 1])
    # pictures that are stored otherwise have copies of their own
    other = stored(tmp_path / "other", size_px=260)
    other.at(64, Told())
    assert Told.sizes == [3, 1, 3]
    shutil.rmtree(tmp_path / ".headstart")
    assert small == resized.at(64, Told()).decode("1")


def test_copies_lie_on_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for n in (3, 4):
        copies = stored(tmp_path / f"{n}", size_px=256, n=n).at(64, Silent())
        [data] = (tmp_path / ".headstart").rglob("records.bin")
        assert data.stat().st_size == 0 and len(copies) == n


@pytest.mark.parametrize("keep_gb", ["0", "0.000001"])  # 1 kB
def test_copies_that_gave_way_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_gb: str
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("HEADSTART_KEEP_GB", keep_gb)
    resized = stored(tmp_path / "resized", size_px=256)
    small = resized.at(64, Silent())
    images = [small.decode(picture) for picture in small.ids]
    resized.at(32, Silent())
    [folder] = (tmp_path / ".headstart/work/copies").glob("*/")  # of 32 px
    assert [small.decode(picture) for picture in small.ids] == images  # mapped: still there
    again = resized.at(64, Silent())
    assert [again.decode(picture) for picture in small.ids] == images and not folder.exists()


@pytest.mark.parametrize("keep_gb", ["", "0"])
def test_what_is_kept_shapes_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_gb: str
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("HEADSTART_KEEP_GB", keep_gb)
    resized = stored(tmp_path / "resized", size_px=256)
    form = resized.at(64, Silent()).history[-1]
    made = {picture: form.encode(resized.encoded(picture)) for picture in resized.ids}
    for copies in (resized.at(64, Silent()), stored(tmp_path / "4", 256, n=4).at(64, Silent())):
        assert {picture: copies.encoded(picture) for picture in resized.ids} == made


def copies_of(folder: Path, work: Path, source: Path = SOURCE) -> list[str]:
    """Digests of the smaller copies that the package below `source` gives, in a process of its own."""
    code = (
        "import sys; from pathlib import Path;"
        "from headstart.pictures.resized import ResizedPictures;"
        "from headstart.project.report import Silent;"
        "print(*ResizedPictures(Path(sys.argv[1])).at(64, Silent()).sha256.values())"
    )
    environment = os.environ | {"PYTHONPATH": str(source), "DVC_ROOT": str(work)}
    done = subprocess.run(
        [sys.executable, "-c", code, folder],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_other_code_makes_other_copies(tmp_path: Path) -> None:
    folder, source = tmp_path / "resized", tmp_path / "src"
    stored(folder, size_px=256)
    before = copies_of(folder, tmp_path)
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    encode = source / "headstart/pictures/preprocessing.py"
    encode.write_text(encode.read_text().replace("Resampling.BICUBIC", "Resampling.BILINEAR"))
    after = copies_of(folder, tmp_path, source)
    assert len(set(before) | set(after)) == 6
    assert after == copies_of(folder, tmp_path / "nothing kept", source)
    assert before == copies_of(folder, tmp_path)


def test_other_bytes_of_the_same_pictures_have_other_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the code that stores them was edited: the ids and the form stay."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    one, two = (stored(tmp_path / f"{seed}", size_px=256, seed=seed) for seed in (0, 1))
    assert (one.ids, one.history) == (two.ids, two.history)
    before, after = (pictures.at(64, Silent()).decode("1") for pictures in (one, two))
    assert before != after
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "nothing kept"))
    assert after == two.at(64, Silent()).decode("1")


def test_pictures_without_their_digests_are_refused(folder: Path) -> None:
    with pa.ipc.open_file(folder / "pictures.arrow") as file:
        table = file.read_all().drop_columns("sha256")
    with pa.ipc.new_file(folder / "pictures.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match="its columns are not those that were written"):
        ResizedPictures(folder)


def test_copies_that_save_little_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    resized = stored(tmp_path / "resized", size_px=256, n=1)
    assert resized.at(224, Silent()) is resized
    assert not (tmp_path / ".headstart").exists()
