"""Pictures in WebDataset shards: found, named, read in place; and what is refused."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from headstart.fetching.image_sources import read_images_source, that_stays
from headstart.fetching.shard_samples import SampleRules
from headstart.fetching.shard_sources import ShardImages, find_shards, list_shards, shards_in
from headstart.image_files.image_folder import ImageFolder, ImagesError, write_images
from headstart.image_files.tree import Tree
from headstart.project.located import SourceError, UserPath
from headstart.project.report import Silent
from headstart.steps.fetch_images import fetch_images
from tests.fetching.test_remote_images import read
from tests.indexed import picture
from tests.shards import tar_of, write_shard


def tree_of(root: Path, **rules: object) -> Tree:
    return list_shards(shards_in(root, SampleRules(**rules)))  # type: ignore[arg-type]


def test_a_folder_of_shards_is_a_source_and_its_pictures_stay_there(tmp_path: Path) -> None:
    root, given = tmp_path / "set", [picture(i, "JPEG" if i % 2 else "PNG") for i in range(40)]
    for k, name in enumerate(("train-000000", "train-000001", "val-000000", "test-000000")):
        samples = {}
        for i, data in enumerate(given[10 * k : 10 * k + 10]):
            samples[f"{k}{i:04}"] = {"jpg" if i % 2 else "png": data, "cls": b"%d\n" % (i % 2)}
        write_shard(root / f"{name}.tar", samples)
    (root / "classnames.txt").write_text("cat\ndog\n")
    source = read_images_source(str(root))
    assert isinstance(source, ShardImages)
    assert that_stays(source, copy=False) == UserPath(root)
    tree = list_shards(source)
    assert read(tree) == {
        f"{split}/{('cat', 'dog')[i % 2]}/{name}-{k}{i:04}.{('png', 'jpg')[i % 2]}": given[10 * k + i]
        for k, (split, name) in enumerate(
            (("train", "train-000000"), ("train", "train-000001"), ("valid", "val-000000"),
             ("test", "test-000000"))
        )
        for i in range(10)
    }  # fmt: skip
    for copy in (False, True):
        images, stays = tmp_path / f"images{copy}", that_stays(source, copy)
        files = fetch_images(tree, source, 10**9 if copy else None, Silent())
        write_images(images, root, files, stays)
        folder = ImageFolder(images)
        assert dict(folder) == read(tree)
        assert sorted(file.name for file in images.rglob("*.*")) == sorted(
            ["files.parquet", "source.json"] + ([name for name, _ in source.files] if copy else [])
        )
    write_shard(root / "train-000000.tar", {"x": {"png": given[2] * 2, "cls": b"0"}})
    path = "train/cat/train-000000-00000.png"
    assert ImageFolder(tmp_path / "imagesTrue")[path] == given[0]
    with pytest.raises(ImagesError, match=r"train-000000\.tar has changed since"):
        ImageFolder(tmp_path / "imagesFalse")[path]


def test_labels_of_each_kind(tmp_path: Path) -> None:
    png = picture(0)
    write_shard(
        tmp_path / "train-0.tar",
        {
            "a/1": {"png": png, "cls": b"1", "txt": b"a caption", "json": b"{}"},
            "a/2": {"txt": b" great dane \n", "png": png},
            "a/3": {"png": png, "json": json.dumps({"label": "owl", "of": {"kind": 0}}).encode()},
            "a/4": {"png": png, "json": b'{"label": true}'},
            "a/5": {"png": png},
            "a/6": {"png": png, "json": b'{"label": 3.0}'},
            "a/7": {"png": png, "json": b'{"label": NaN}'},
        },
    )
    assert list(tree_of(tmp_path).sizes) == [
        "train/1/train-0-a-1.png", "train/3/train-0-a-6.png", "train/great dane/train-0-a-2.png",
        "train/owl/train-0-a-3.png", "train/train-0-a-5.png", "train/train-0-a-7.png",
        "train/true/train-0-a-4.png",
    ]  # fmt: skip
    found = tree_of(tmp_path, label="json.of.kind", classes=("emu", "owl")).sizes
    assert "train/emu/train-0-a-3.png" in found and "train/train-0-a-1.png" in found


def test_minus_one_is_no_label_where_classes_are_named(tmp_path: Path) -> None:
    png = picture(0)
    samples = {
        "1": {"png": png, "cls": b"-1"},
        "2": {"png": png, "json": b'{"label": -1}'},
        "3": {"png": png, "cls": b"1"},
    }
    write_shard(tmp_path / "train.tar", samples)
    assert list(tree_of(tmp_path, classes=("emu", "owl")).sizes) == [
        "train/owl/train-3.png", "train/train-1.png", "train/train-2.png"
    ]  # fmt: skip
    assert "train/-1/train-1.png" in tree_of(tmp_path).sizes


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({"1": {"cls": b"0"}}, r"the sample '1' has no picture \(files: \.cls\)\."),
        ({"1": {"jpg": b"", "mask.png": b"", "cls": b"0"}}, r"2 pictures .* such as picture: jpg\."),
        ({"1": {"jpg": b"", "json": b'{"label": [1, 2]}'}}, r"several labels \(\[1, 2\]\)"),
        ({"1": {"jpg": b"", "json": b"{" * 9999}}, r"its \.json cannot be read"),
        ({"1": {"jpg": b"", "json": b'{"label": 0.5}'}}, r"its \.json has label 0\.5"),
        ({"1": {"jpg": b"", "json": b'{"label": Infinity}'}}, r"label inf, a float that is no"),
        ({"1": {"jpg": b"", "txt": b"\xff"}}, r"its \.txt cannot be read"),
        ({"1": {"jpg": b"", "cls": b"7"}}, r"its \.cls is 7, but 2 classes are named, 0 to 1"),
        ({"1": {"jpg": b"", "cls": b"-2"}}, r"its \.cls is -2, but 2 classes are named, 0 to 1"),
        ({"1": {"jpg": b"", "txt": b"a/b"}, "2": {"jpg": b"", "txt": b"a_b"}}, "one folder, 'a_b'"),
        ({"../1": {"jpg": b"", "cls": b"0"}}, r"a path must be relative"),
        ({"/1": {"jpg": b"", "cls": b"0"}}, r"a path must be relative"),
        ({"1": {"jpg": b"", "cls": b"0" * (1 << 20) + b"0"}}, r"too many for a label"),
    ],
)  # fmt: skip
def test_what_no_picture_can_be_read_from_is_refused(
    tmp_path: Path, samples: dict[str, dict[str, bytes]], said: str
) -> None:
    write_shard(tmp_path / "train.tar", samples)
    with pytest.raises(SourceError, match=said):
        tree_of(tmp_path, classes=("cat", "dog"))


def test_hostile_and_damaged_tars_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "train.tar"
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        with tarfile.open(file, "w") as tar:
            about = tarfile.TarInfo("1.jpg")
            about.type, about.linkname = kind, "/etc/passwd"
            tar.addfile(about)
        with pytest.raises(SourceError, match=r"holds '1\.jpg', a link, a device"):
            tree_of(tmp_path)
    png = picture(0)
    file.write_bytes(tar_of([("1.png", png), ("1.png", png)]))
    with pytest.raises(SourceError, match="'1' has two files of one name"):
        tree_of(tmp_path)
    file.write_bytes(tar_of([("1.png", png), ("1.cls", b"0"), ("2.png", png), ("1.png", png)]))
    assert list(tree_of(tmp_path).sizes) == [
        "train/0/train-1.png", "train/train-1.png", "train/train-2.png"
    ]  # fmt: skip
    file.write_bytes(tar_of([("1.png", png), ("2.png", png), ("1.png", png), ("1.cls", b"0")]))
    assert len(tree_of(tmp_path).sizes) == 3
    whole = tar_of([("1.png", png * 9), ("1.cls", b"0")])
    for n in (100, 600, 512 + len(png)):
        file.write_bytes(whole[:n])
        with pytest.raises(SourceError, match=r"damaged tar|ends within|holds no"):
            tree_of(tmp_path)
    huge = tarfile.TarInfo("1.png")
    huge.size = 1 << 40
    file.write_bytes(huge.tobuf() + bytes(1024))
    with pytest.raises(SourceError, match=r"damaged tar|ends within"):
        tree_of(tmp_path)
    file.write_bytes(io.BytesIO(b"no tar" * 200).getvalue())
    with pytest.raises(SourceError, match="damaged tar"):
        tree_of(tmp_path)


def test_tars_that_are_no_shards_stay_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of([("cat/1.jpg", picture(0)), ("dog/2.jpg", picture(1))]))
    assert find_shards(tmp_path) is None
    write_shard(tmp_path / "a.tar", {"1": {"png": picture(0), "cls": b"0"}})
    assert find_shards(tmp_path) is not None
    (tmp_path / "1.png").write_bytes(picture(0))
    assert find_shards(tmp_path) is None
