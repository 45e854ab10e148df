from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from headstart.fetching.image_sources import (
    ArchiveImages,
    PackageImages,
    read_images_source,
)
from headstart.fetching.weights_sources import (
    PackageWeights,
    RandomWeights,
    TimmWeights,
    read_weights_source,
)
from headstart.project import located as sources
from headstart.project.located import SourceError, UserPath, locate


@pytest.fixture(autouse=True)
def _in_the_repo(monkeypatch: pytest.MonkeyPatch, repo_root: Path) -> None:
    monkeypatch.chdir(repo_root)


def test_every_source_of_the_repo_is_read() -> None:
    assert isinstance(read_images_source("sources/textile.yaml"), PackageImages)
    for name in ("dogscats", "planet_sample"):
        assert isinstance(read_images_source(f"sources/{name}.yaml"), ArchiveImages)
    assert isinstance(read_weights_source("sources/efficientnet-lite0.yaml"), PackageWeights)
    assert read_weights_source("sources/timm-pretrained.yaml") == TimmWeights(kind="timm")
    assert read_weights_source("sources/random.yaml") == RandomWeights(kind="random", seed=0)


def test_the_packages_are_installed() -> None:
    pictures = read_images_source("sources/textile.yaml")
    assert isinstance(pictures, PackageImages)
    assert locate(pictures).is_dir()
    weights = read_weights_source("sources/efficientnet-lite0.yaml")
    assert isinstance(weights, PackageWeights)
    assert locate(weights).is_file()


def test_absolute_paths_are_the_users(tmp_path: Path) -> None:
    file = tmp_path / "mine.pth"
    file.touch()
    assert read_images_source(str(tmp_path)) == UserPath(tmp_path)
    assert locate(UserPath(tmp_path)) == tmp_path
    assert read_weights_source(str(file)) == UserPath(file)
    with pytest.raises(
        SourceError, match=r"dataset\.source is .*mine\.pth', which is not a folder"
    ):
        read_images_source(str(file))
    with pytest.raises(SourceError, match=r"backbone\.weights is .* which is not a file"):
        read_weights_source(str(tmp_path))


@pytest.mark.parametrize(
    "wrong",
    ["", "~/pictures", "pictures", "../pictures", "/data/../pictures", "textile", "sources",
     "sources/nope.yaml", "sources/../textile.yaml", "https://host/p.zip", "s3://b/p", "data/p"],
)  # fmt: skip
def test_other_forms_are_refused_with_the_right_one(wrong: str) -> None:
    with pytest.raises(SourceError) as error:
        read_images_source(wrong)
    message = str(error.value)
    assert message.startswith(f"dataset.source is {wrong!r}, ")
    assert "absolute path of a folder of pictures (such as /home/me/pictures)" in message
    assert "sources/textile.yaml" in message
    with pytest.raises(SourceError, match="absolute path of a file of weights"):
        read_weights_source(wrong)


def test_the_reason_is_given() -> None:
    with pytest.raises(SourceError, match=f"not expanded: write {Path.home()}/p;"):
        read_images_source("~/p")
    with pytest.raises(SourceError, match="a URL: write it, with its size and checksum"):
        read_images_source("https://host/p.zip")
    with pytest.raises(SourceError, match="a URL: download it first"):
        read_weights_source("https://host/p.pth")


def test_a_wrong_description_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sources" / "mine.yaml"
    path.write_text("kind: package\npackage: p\nsha256: abc\ncolour: red\n")
    with pytest.raises(SourceError) as error:
        read_images_source("sources/mine.yaml")
    for key in ("version", "path", "sha256", "n_files", "n_bytes", "colour"):
        assert f"sources/mine.yaml: {key}:" in str(error.value)
    path.write_text("kind: hub\n")
    with pytest.raises(SourceError, match=r"sources/mine\.yaml: the file: .*'kind'"):
        read_weights_source("sources/mine.yaml")
    path.write_text("kind: [\n")
    with pytest.raises(SourceError, match="is not valid YAML"):
        read_weights_source("sources/mine.yaml")


def test_pictures_are_no_weights() -> None:
    with pytest.raises(SourceError, match=r"sources/textile\.yaml"):
        read_weights_source("sources/textile.yaml")


def test_a_package_must_be_there_in_its_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    textile = read_images_source("sources/textile.yaml")
    assert isinstance(textile, PackageImages)

    def missing(name: str) -> SimpleNamespace:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", missing)
    with pytest.raises(
        SourceError, match=r"not installed: pip install conformal-clip-data==0\.1\.4"
    ):
        locate(textile)
    monkeypatch.setattr(sources, "distribution", lambda _: SimpleNamespace(version="9"))
    with pytest.raises(SourceError, match="is installed as 9: pip install"):
        locate(textile)
    broken = SimpleNamespace(version="0.1.4", locate_file=lambda path: tmp_path / path)
    monkeypatch.setattr(sources, "distribution", lambda _: broken)
    with pytest.raises(SourceError, match="is missing: pip install --force-reinstall conformal"):
        locate(textile)
