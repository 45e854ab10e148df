import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from headstart.image_files.image_folder import ImageFolder, ImagesError, ListedFile, write_images
from headstart.project.files import read_json
from headstart.project.located import Package, SourceError, UserPath, locate

CONTENT = {"a/1.jpg": b"one", "a/deep/3.png": b"three", "labels.csv": b"id\n"}
FORMS = {"a/1.jpg": "jpeg", "a/deep/3.png": "", "labels.csv": ""}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, data in CONTENT.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(data)
    return tmp_path / "source"


def listed(root: Path, content: Mapping[str, bytes] = CONTENT) -> list[ListedFile]:
    return [
        ListedFile(
            name, root / name, len(data), hashlib.sha256(data).hexdigest(), FORMS.get(name, "")
        )
        for name, data in sorted(content.items())
    ]


@pytest.mark.parametrize("copy", [True, False])
def test_each_file_is_read_by_its_path(root: Path, tmp_path: Path, copy: bool) -> None:
    images = tmp_path / "data" / "images"
    write_images(images, root, listed(root), None if copy else UserPath(root))
    files = ImageFolder(images)
    assert dict(files) == CONTENT and len(files) == 3
    assert files.sha256 == {n: hashlib.sha256(d).hexdigest() for n, d in CONTENT.items()}
    assert files.forms == FORMS
    assert "labels.csv" in files and "nope.jpg" not in files
    with pytest.raises(KeyError, match=r"has no file 'nope\.jpg'"):
        files["nope.jpg"]


def test_what_stays_is_not_copied_and_the_list_does_not_say_where_it_lies(
    root: Path, tmp_path: Path
) -> None:
    """So the same pictures elsewhere have the same list, whose table DVC finds unchanged."""
    images, moved = tmp_path / "images", tmp_path / "moved"
    write_images(images, root, listed(root), UserPath(root))
    assert sorted(path.name for path in images.iterdir()) == ["files.parquet", "source.json"]
    assert read_json(images / "source.json") == {"folder": str(root)}
    before = (images / "files.parquet").read_bytes()
    shutil.copytree(root, moved)
    write_images(images, moved, listed(moved), UserPath(moved))
    assert (images / "files.parquet").read_bytes() == before
    assert dict(ImageFolder(images)) == CONTENT


def test_a_package_is_named_and_found_where_it_is_installed(
    repo_root: Path, tmp_path: Path
) -> None:
    """Its absolute path would give another list, and so other digests in dvc.lock, everywhere."""
    path = "conformal_clip_data/data/textile_images/simulated"
    package = Package(kind="package", package="conformal-clip-data", version="0.1.4",
                      path=path, sha256="0" * 64)  # fmt: skip
    root = locate(package)
    name = min(str(path.relative_to(root)) for path in root.rglob("*.jpg"))
    data = (root / name).read_bytes()
    write_images(tmp_path / "images", root, listed(root, {name: data}), package)
    assert str(root) not in (tmp_path / "images/source.json").read_text()
    assert dict(ImageFolder(tmp_path / "images")) == {name: data}
    other = package.model_copy(update={"version": "9.9"})
    write_images(tmp_path / "images", root, listed(root, {name: data}), other)
    with pytest.raises(SourceError, match=r"pip install conformal-clip-data==9\.9"):
        ImageFolder(tmp_path / "images")


def test_a_file_that_changed_since_is_never_given(root: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images", root, listed(root), UserPath(root))
    files = ImageFolder(tmp_path / "images")
    (root / "a/1.jpg").write_bytes(b"ONE")  # of the same size
    with pytest.raises(ImagesError, match=r"1\.jpg has changed since .* `dvc repro` lists the"):
        files["a/1.jpg"]
    (root / "a/1.jpg").unlink()
    with pytest.raises(ImagesError, match=r"1\.jpg cannot be read \(No such file or directory\)"):
        files["a/1.jpg"]
    assert files["labels.csv"] == b"id\n"
    shutil.rmtree(root)
    with pytest.raises(
        ImagesError, match=r"source, does not exist: mount it, or set dataset\.source"
    ):
        files["labels.csv"]


def test_a_damaged_copy_is_never_given(root: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images", root, listed(root), None)
    (tmp_path / "images/pictures/a/1.jpg").write_bytes(b"ONE")
    with pytest.raises(ImagesError, match="`dvc repro` restores it"):
        ImageFolder(tmp_path / "images")["a/1.jpg"]


def test_copies_are_files_of_their_own(root: Path, tmp_path: Path) -> None:
    (root / "a/1.jpg").chmod(0o400)
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    (images / "old.jpg").write_text("from an earlier run")
    write_images(images, root, listed(root), None)
    (images / "pictures/a/1.jpg").write_text("writable")
    assert (root / "a/1.jpg").read_text() == "one"
    assert not (images / "old.jpg").exists()
    assert [path.name for path in images.parent.iterdir()] == ["images"]


def test_a_failure_leaves_what_was_there(root: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_images(images, root, listed(root), None)

    def files() -> Iterator[ListedFile]:
        yield listed(root)[0]
        raise RuntimeError("the disk")

    for stays in (None, UserPath(root)):
        with pytest.raises(RuntimeError, match="the disk"):
            write_images(images, root, files(), stays)
        assert dict(ImageFolder(images)) == CONTENT
        assert not (tmp_path / "images.partial").exists()


@pytest.mark.parametrize("below", ["", "mine"])
def test_a_source_inside_the_target_is_not_lost(tmp_path: Path, below: str) -> None:
    images = tmp_path / "images"
    mine = images / below
    mine.mkdir(parents=True)
    (mine / "1.jpg").write_bytes(b"precious")
    for stays in (None, UserPath(mine)):
        with pytest.raises(ValueError, match="which each run replaces"):
            write_images(images, mine, listed(mine, {"1.jpg": b"precious"}), stays)
    assert (mine / "1.jpg").read_bytes() == b"precious"


def test_the_list_is_a_table_for_others_too(root: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images", root, listed(root), UserPath(root))
    table = pq.read_table(tmp_path / "images/files.parquet").to_pylist()
    assert table[0] == {
        "path": "a/1.jpg", "n_bytes": 3, "sha256": hashlib.sha256(b"one").digest(), "form": "jpeg"
    }  # fmt: skip


def test_a_list_of_an_older_version_is_refused(root: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "images", root, listed(root), UserPath(root))
    file = tmp_path / "images/files.parquet"
    pq.write_table(pq.read_table(file).drop_columns("form"), file)
    with pytest.raises(ImagesError, match=r"files\.parquet has no column form.* `dvc repro`"):
        ImageFolder(tmp_path / "images")


def test_no_files_are_an_empty_list(tmp_path: Path) -> None:
    write_images(tmp_path / "images", tmp_path / "none", [], UserPath(tmp_path / "none"))
    files = ImageFolder(tmp_path / "images")
    assert not dict(files) and not files.forms
