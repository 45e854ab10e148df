import hashlib
import os
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from headstart.fetching.image_sources import PackageImages, tree_digest
from headstart.image_files.image_folder import ImageFolder, ListedFile, write_images
from headstart.image_files.tree import list_tree
from headstart.project.located import SourceError, UserPath
from headstart.project.report import Silent
from headstart.steps.fetch_images import fetch_images
from tests.fetching.test_archives import packed
from tests.server import Cut, serve
from tests.whole_project import Project

CONTENT = {"cats/1.jpg": b"one", "dogs/2.jpg": b"two!"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, data in CONTENT.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True)
        (tmp_path / "source" / name).write_bytes(data)
    return tmp_path / "source"


def package(**changed: object) -> PackageImages:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    promised = {"kind": "package", "package": "p", "version": "1", "path": "x", "n_files": 2,
                "n_bytes": 7, "sha256": tree_digest(digests)}  # fmt: skip
    return PackageImages.model_validate(promised | changed)


@pytest.mark.parametrize("copy", [True, False])
def test_a_users_folder_is_listed_as_it_is(root: Path, tmp_path: Path, copy: bool) -> None:
    files = fetch_images(list_tree(root), UserPath(root), 7 if copy else None, Silent())
    write_images(tmp_path / "images", root, files, None if copy else UserPath(root))
    assert dict(ImageFolder(tmp_path / "images")) == CONTENT


def test_a_package_that_keeps_its_promise_is_listed(root: Path) -> None:
    files = list(fetch_images(list_tree(root), package(), None, Silent()))
    assert files == [
        ListedFile(name, root / name, len(data), hashlib.sha256(data).hexdigest(), "")
        for name, data in CONTENT.items()
    ]


def test_the_form_is_that_of_the_content(root: Path) -> None:
    """Whatever the file is called; the digest is still that of the whole file."""
    heads = {"1.png": b"\xff\xd8\xff\xe0", "cats/IMG_2": b"\x00\x00\x00\x18ftypheic" + bytes(16)}
    data = {name: head + os.urandom(600_000) for name, head in heads.items()}
    for name, content in data.items():
        (root / name).write_bytes(content)
    files = {f.path: f for f in fetch_images(list_tree(root), UserPath(root), None, Silent())}
    assert (files["1.png"].form, files["cats/IMG_2"].form) == ("jpeg", "heic")
    assert files["cats/1.jpg"].form == ""
    for name, content in data.items():
        assert files[name].sha256 == hashlib.sha256(content).hexdigest()


def test_an_edit_of_a_table_beside_the_pictures_changes_the_list(
    root: Path, tmp_path: Path
) -> None:
    """The list is a dependency of index-images, so that DVC runs it again."""
    lists = []
    for said in ("cat", "cow"):
        (root / "cats/metadata.jsonl").write_text(f'{{"file_name": "1.jpg", "label": "{said}"}}')
        files = fetch_images(list_tree(root), UserPath(root), None, Silent())
        write_images(tmp_path / "images", root, files, UserPath(root))
        lists.append((tmp_path / "images/files.parquet").read_bytes())
    assert lists[0] != lists[1]


def test_a_file_that_changes_or_vanishes_meanwhile_is_named(root: Path) -> None:
    tree = list_tree(root)
    (root / "dogs/2.jpg").write_bytes(b"two, and more of it")
    with pytest.raises(SourceError, match=r"2\.jpg changed while it was read \(4 bytes, then 19\)"):
        list(fetch_images(tree, UserPath(root), None, Silent()))
    (root / "dogs/2.jpg").unlink()
    with pytest.raises(SourceError, match=r"2\.jpg cannot be read \(No such file or directory\)"):
        list(fetch_images(tree, UserPath(root), None, Silent()))


@pytest.mark.parametrize(
    "changed", [{"n_files": 3}, {"n_bytes": 8}, {"sha256": "0" * 64}], ids=lambda c: next(iter(c))
)
def test_a_package_that_breaks_its_promise_leaves_nothing(
    changed: dict[str, object], root: Path, tmp_path: Path
) -> None:
    files = fetch_images(list_tree(root), package(**changed), None, Silent())
    with pytest.raises(SourceError, match="the pictures of p 1 are not as described"):
        write_images(tmp_path / "images", root, files, package(**changed))
    assert not (tmp_path / "images").exists()


def test_too_little_room_is_told_before_anything_is_copied(root: Path) -> None:
    files = fetch_images(list_tree(root), UserPath(root), 6, Silent())
    with pytest.raises(SourceError, match=r"need 0\.0 MB \(7 bytes\), but only 0\.0 MB are free"):
        next(files)
    assert next(fetch_images(list_tree(root), UserPath(root), None, Silent())).path == "cats/1.jpg"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no files"):
        next(fetch_images(list_tree(tmp_path), UserPath(tmp_path), None, Silent()))


@pytest.mark.end_to_end
def test_the_stage_goes_on_with_a_broken_off_download(
    tmp_path: Path, repo_root: Path, empty_store: Path
) -> None:
    """Under DVC, which removes a stage's outs before it runs: what came must lie elsewhere."""
    project = Project(tmp_path, repo_root)
    shutil.copy(empty_store, project.root)
    files = {f"set/{name}": data for name, data in CONTENT.items()} | {"notes.txt": b"no picture"}
    files["set/cats/3.jpg"] = os.urandom(900_000)
    data = packed(tmp_path / "pets.zip", files).read_bytes()
    with serve() as site:
        site.files["/pets.zip"] = data
        archive = {"url": f"{site.url}/pets.zip", "n_bytes": len(data),
                   "sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
        described = {"kind": "archives", "archives": [archive], "root": "set"}
        YAML().dump(described, project.root / "sources/pets.yaml")
        project.edit({"dataset.source": "sources/pets.yaml"})
        project.environment["NO_PROXY"] = "127.0.0.1"
        site.plan = [Cut(500_000), 404]
        with pytest.raises(AssertionError, match=r"pets\.zip: the server answered 404 Not Found"):
            project.repro("fetch-images")
        assert not (project.root / "data/0_source/images").exists()
        assert project.repro("fetch-images") == {"fetch-images"}
        assert project.repro("fetch-images") == set()
        starts = [wanted for _, wanted in site.asked]
    assert len(starts) == 3 and starts[0] is None
    assert starts[1] == starts[2] and str(starts[1]) > "bytes=1"
    images = ImageFolder(project.root / "data/0_source/images")
    expected = {name[4:]: data for name, data in files.items() if name.startswith("set/")}
    assert dict(images) == expected
    assert project.metrics()["fetch_images"]["n_files"] == 3
