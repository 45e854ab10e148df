"""`headstart init`: what it finds in each layout, and that the params it writes can run."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from headstart.fetching.image_sources import read_images_source, that_stays
from headstart.fetching.remote_images import list_pictures, open_images
from headstart.image_files.image_folder import ImageFolder, write_images
from headstart.indexing.params import IndexImagesParams
from headstart.project.report import Silent
from headstart.steps.fetch_images import fetch_images
from headstart.steps.index_images import index_images
from tests.fetching.test_archives import packed
from tests.indexed import id_of, index, picture
from tests.init_command import draw, files, index_of, pictures, run, written
from tests.parquets import write_parquet
from tests.scenes import encoded, scene
from tests.shards import write_shard

ROOT = Path(__file__).parents[2]
REAL_DATA = os.environ.get("HEADSTART_REAL_DATA")  # read now: tests do not see HEADSTART_*


def test_class_folders(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cats/{}.jpg", "dogs/{}.png")
    values = written(folder)
    assert values["dataset"]["source"] == str(folder)
    assert index_of(values, "labels", "split", "n_folds") == ["folders", "stratified", 5]
    assert values["backbone"]["size_px"] == 96


def test_split_folders_in_a_wrapping_folder(project: Path, tmp_path: Path) -> None:
    names = [f"archive/{part}/{name}/{{}}.jpg" for part in ("training", "Val") for name in "ab"]
    result = run(pictures(tmp_path / "p", *names))
    assert result.exit_code == 0
    assert "Folder Val is read as valid, training is read as train." in result.output
    assert "lie in the folder archive, which is no class" in result.output
    values = YAML(typ="safe").load(Path("params.yaml"))
    assert index_of(values, "labels", "split") == ["folders", "given"]


@pytest.mark.parametrize("named", [False, True])
def test_a_table(project: Path, tmp_path: Path, named: bool) -> None:
    folder = pictures(tmp_path / "p", "train/a{}.jpg", "train/b{}.jpg", "test/{}.jpg")
    rows = [f"{name}{i};{label}" for name, label in (("a", "ant"), ("b", "bee")) for i in range(6)]
    (folder / "labels.csv").write_text("\n".join(["image;species", *rows]))
    values = written(folder / "labels.csv" if named else folder)
    keys = ("labels", "id_column", "label_column", "id_suffix", "csv_folder", "task")
    assert index_of(values, *keys) == [
        "labels.csv", "image", "species", ".jpg", "train", "single_label"
    ]  # fmt: skip


def test_a_table_in_the_folder_around_everything(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "kaggle/train/a{}.jpg", "kaggle/train/b{}.jpg", n=8)
    pictures(folder, "kaggle/test/{}.jpg")
    rows = [f"{name}{i},{name}" for name in "ab" for i in range(8)]
    (folder / "kaggle/labels.csv").write_text("\n".join(["id,label", *rows]))
    values = written(folder)
    keys = ("labels", "csv_folder", "split", "test_frac")
    assert index_of(values, *keys) == ["kaggle/labels.csv", "kaggle/train", "stratified", 0.0]
    assert values["optimizer_head"]["batch_size"] == 16


def test_a_table_of_split_folders(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "training/a{}.jpg", "Val/b{}.jpg", n=8)
    rows = [f"{part}{i}.jpg,{'xy'[i % 2]}" for part in ("training/a", "Val/b") for i in range(8)]
    (folder / "all.csv").write_text("\n".join(["path,class", *rows]))
    assert index_of(written(folder), "split", "csv_folder", "id_suffix") == ["given", "", ""]


def test_a_table_of_names_without_their_folders(project: Path, tmp_path: Path) -> None:
    folder = pictures(
        tmp_path / "p", "train/a{}.jpg", "train/b{}.jpg", "valid/a-{}.jpg", "valid/b-{}.jpg"
    )
    said = {path.relative_to(folder): path.name[0] for path in sorted(folder.rglob("*.jpg"))}
    rows = [f"{path.name},{label}" for path, label in said.items()]
    (folder / "labels.csv").write_text("\n".join(["path,class", *rows]))
    assert index_of(written(folder / "labels.csv"), "csv_folder", "split") == ["*", "given"]
    draw(folder / "valid/a0.jpg", 999)
    result = run(folder / "labels.csv")
    assert result.exit_code == 1
    assert (
        "The ids of labels.csv name pictures in several places (13 in valid/*, 11 in train/*), but "
        "index-images looks in one: valid/* leaves out 11 of 24 ids and 11 pictures. In labels.csv, "
        "write each id as the path of its picture, such as train/a1.jpg.\n" in result.output
    )
    rows = [f"{path},{label}" for path, label in said.items()]
    (folder / "labels.csv").write_text("\n".join(["path,class", *rows]))
    assert index_of(written(folder / "labels.csv"), "csv_folder", "split") == ["", "given"]


def test_a_single_picture_elsewhere_is_told(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "train/a{}.jpg", "train/b{}.jpg")
    draw(folder / "more/c.jpg", 3)
    rows = [f"{path.name},{path.name[0]}" for path in sorted(folder.rglob("*.jpg"))]
    draw(folder / "more/a0.jpg", 999)  # so that a0.jpg alone does not say which
    (folder / "labels.csv").write_text("\n".join(["path,class", *rows]))
    result = run(folder / "labels.csv")
    assert result.exit_code == 0, result.output
    assert "by labels.csv; train/* leaves out 1 of 13 ids and 1 picture;" in result.output


def test_a_table_of_tags(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "{}.jpg")
    rows = ["0.jpg,a b", "1.jpg,b", "2.jpg,a", "3.jpg,a b", "4.jpg,b", "5.jpg,a"]
    (folder / "tags.csv").write_text("\n".join(["file_name,tags", *rows]))
    assert index_of(written(folder, "--view", "top_down"), "task", "id_suffix") == [
        "multi_label",
        "",
    ]


@pytest.mark.parametrize(
    ("suffix", "top"), [("csv", "set"), ("jsonl", "set"), ("csv", "Set [v2]?")]
)
def test_a_table_in_each_split_folder(project: Path, tmp_path: Path, suffix: str, top: str) -> None:
    folder = pictures(tmp_path / "p", f"{top}/train/{{}}.jpg", f"{top}/validation/{{}}.jpg")
    for part in ("train", "validation"):
        said = [(f"{i}.jpg", "xy"[i % 2]) for i in range(6)]
        lines = ["file_name,label", *map(",".join, said)]
        if suffix == "jsonl":
            lines = [json.dumps({"file_name": name, "label": label}) for name, label in said]
        (folder / f"{top}/{part}/metadata.{suffix}").write_text("\n".join(lines))
        (folder / f"{top}/{part}/0.txt").write_text("about 0.jpg")
    values = written(folder)
    keys = ("labels", "id_column", "id_suffix", "csv_folder", "split")
    assert index_of(values, *keys) == [f"{top}/*/metadata.{suffix}", "file_name", "", "", "given"]
    found = index(files(folder), **values["index_images"])
    assert found.counts()["n_problems"]["total"] == 0
    assert {split: of["n"] for split, of in found.counts()["splits"].items()} == {
        "train": 6, "valid": 6
    }  # fmt: skip


def listed(source: str, folder: Path) -> ImageFolder:
    """The pictures of dataset.source as the stage fetch-images leaves them."""
    found = read_images_source(source)
    stays = that_stays(found, copy=False)
    with open_images(found, Silent()) as root:
        files = fetch_images(list_pictures(found, root), found, None if stays else 10**9, Silent())
        write_images(folder, root, files, stays)
    return ImageFolder(folder)


@pytest.mark.parametrize("named", [True, False])
def test_pictures_inside_parquet_files(
    project: Path, tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    names = {"label": ["ant", "bee"]} if named else None
    label = [0, 1] * 6 if named else ["ant", "bee"] * 6
    for k, file in enumerate(("train-00000-of-00002", "train-00001-of-00002", "validation")):
        given: list[bytes | None] = [picture(20 * k + i, "JPEG") for i in range(12)]
        if file == "train-00001-of-00002":
            given[3], given[5] = None, given[4]
        write_parquet(tmp_path / f"p/data/{file}.parquet", given, names, 5, label=label)
    write_parquet(tmp_path / "p/data/test.parquet", [picture(90)], names)
    result = run(tmp_path / "p")
    assert result.exit_code == 0, result.output
    assert "files         Parquet with 36 pictures inside: 3 splits, 2 classes\n" in result.output
    assert "1: train/bee/data-train-00001-of-00002-000004.jpg (the file is empty)" in result.output
    assert (
        "same content  1: train/ant/data-train-00001-of-00002-000005.jpg = train/b" in result.output
    )
    values = written(tmp_path / "p")
    assert index_of(values, "labels", "split") == ["folders", "given"]
    images = listed(values["dataset"]["source"], tmp_path / "images")
    found = index_images(
        images, images.sha256, images.forms, IndexImagesParams(**values["index_images"]), Silent()
    )
    assert found.problems[["path", "problem"]].to_numpy().tolist() == [
        ["train/ant/data-train-00001-of-00002-000005.jpg", "two_labels"],
        ["train/bee/data-train-00001-of-00002-000004.jpg", "zero_bytes"],
        ["train/bee/data-train-00001-of-00002-000006.jpg", "two_labels"],
    ]
    splits = found.counts()["splits"]
    assert {split: of["per_class"] for split, of in splits.items()} == {
        "train": {"ant": 11, "bee": 10}, "valid": {"ant": 6, "bee": 6}, "test": {}
    }  # fmt: skip
    [only] = found.labels.ids("test")
    assert only == id_of(picture(90))


def test_an_archive(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    folder = pictures(tmp_path / "p", "pets/train/a{}.jpg", "pets/test/{}.jpg")
    rows = [f"a{i}.jpg,{'xy'[i % 2]}" for i in range(6)]
    (folder / "pets/labels.csv").write_text("\n".join(["file_name,label", *rows]))
    archive = packed(tmp_path / "pets.tgz", files(folder))
    shutil.rmtree(folder)
    result = run(archive)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"archive       {archive}\n")
    values = written(archive)
    assert values["dataset"]["source"] == str(archive)
    assert index_of(values, "labels", "csv_folder") == ["pets/labels.csv", "pets/train"]
    images = listed(values["dataset"]["source"], tmp_path / "images")
    assert index(dict(images), **values["index_images"]).problems.empty


def test_an_archive_without_classes_is_called_by_its_name(project: Path, tmp_path: Path) -> None:
    archive = packed(tmp_path / "pets.zip", {"1.txt": b"x"})
    result = run(archive)
    assert result.exit_code == 1 and f"{archive} holds no pictures, only 1 .txt" in result.output


def test_parquet_files_that_cannot_be_read_are_told(project: Path, tmp_path: Path) -> None:
    write_parquet(tmp_path / "p/train.parquet", [picture(0)], breed=["pug"])
    result = run(tmp_path / "p")
    assert result.exit_code == 1 and "did you mean breed? Call it label in all" in result.output
    assert not Path("params.yaml").exists()


def test_labels_in_the_names(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "train/cat.{}.jpg", "train/dog.{}.jpg", "test1/{}.jpg")
    values = written(folder)
    assert index_of(values, "labels", "name_regex")[0] == "names"


def test_the_embedded_source(project: Path) -> None:
    values = written("sources/textile.yaml", "--view", "texture")
    assert values["dataset"]["source"] == "sources/textile.yaml"
    assert values["augment"]["symmetry"] == "half_turn"


def test_another_network_has_its_own_size(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    for i in range(12):
        draw(folder / f"{'ab'[i % 2]}/{i}.jpg", i, (400, 300))
    backbone = written(folder, "--network", "tf_efficientnet_b1.ns_jft_in1k")["backbone"]
    assert (backbone["name"], backbone["size_px"]) == ("tf_efficientnet_b1.ns_jft_in1k", 240)
    assert backbone["weights"] == "sources/timm-pretrained.yaml"
    backbone = written(folder, "--network", "tf_efficientnet_lite0.in1k")["backbone"]
    assert backbone["weights"] == "sources/efficientnet-lite0.yaml"
    source = Path("sources/efficientnet-lite0.yaml").read_text()
    absent = source.replace("lite0-pytorch", "b2-pytorch").replace("net_lite0", "net_b2")
    Path("sources/b2.yaml").write_text(absent)
    result = run(folder, "--network", "tf_efficientnet_b2")
    assert result.exit_code == 1 and "pip install efficientnet-b2-pytorch-model" in result.output
    result = run(folder, "--network", "resnet5000")
    assert result.exit_code == 1 and "which timm does not know. Did you mean" in result.output


def test_what_is_wrong_is_named(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cats/{}.jpg", "dogs/{}.jpg")
    (folder / "cats/empty.jpg").touch()
    (folder / "dogs/notes.txt").write_text("x")
    shutil.copy(folder / "cats/0.jpg", folder / "cats/again.jpg")
    output = run(folder).output
    assert "unreadable    1: cats/empty.jpg (the file is empty)" in output
    assert "same content  1: cats/0.jpg = cats/again.jpg" in output
    assert "other files   1 .txt" in output
    assert max(map(len, output.splitlines())) < 120


def test_json(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cats/{}.jpg", "dogs/{}.jpg")
    found = json.loads(run(folder, "--json").output)
    assert (found["n_pictures"], found["classes"]) == (12, {"cats": 6, "dogs": 6})
    assert {choice["key"] for choice in found["params"]} >= {"dataset.source", "backbone.size_px"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "holds no pictures"),
        (("IMG_{}.jpg", "DSC_{}.jpg"), "has 12 pictures but no class folders; at least two"),
        (("{}.jpg",), "has 6 pictures but no class folders; at least two classes are needed"),
        (("cats/{}.jpg",), "only the class folder cats; at least two classes are needed"),
        (("train2017/{}.jpg", "val2017/{}.jpg"), "has 12 pictures but no class folders"),
        (("images/{}.png", "masks/{}.png"), "has 6 pictures but only the class folder images"),
        (("images/train/{}.jpg", "images/val/{}.jpg"), "has 12 pictures but no class folders"),
    ],
)
def test_pictures_without_classes(
    project: Path, tmp_path: Path, names: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "p").mkdir()
    result = run(pictures(tmp_path / "p", *names))
    assert result.exit_code == 1 and sentence in result.output
    assert not Path("params.yaml").exists()


def test_a_folder_that_does_not_exist(project: Path) -> None:
    result = run("/no/such/folder")
    assert result.exit_code == 1 and "/no/such/folder does not exist" in result.output


def test_a_tilde_of_no_user_is_part_of_the_name(project: Path) -> None:
    result = run("~no-one/pictures")
    assert result.exit_code == 1 and "~no-one/pictures does not exist" in result.output
    pictures(project / "~no-one/pictures", "cats/{}.jpg", "dogs/{}.jpg")
    values = written("~no-one/pictures")
    assert values["dataset"]["source"] == f"{project}/~no-one/pictures"


def test_a_link_that_leads_to_itself(project: Path) -> None:
    Path("loop").symlink_to("loop")
    assert "Error: loop does not exist" in run("loop").output


@pytest.mark.parametrize("name", ["f\udcfcr", "f\udcfcr.yaml"])
def test_a_path_that_params_cannot_hold_is_refused_before_the_look(
    project: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.commands.named_source.survey", None)
    result = run(pictures(tmp_path / name, "cats/{}.jpg", "dogs/{}.jpg", n=1))
    assert result.exit_code == 1 and not Path("params.yaml").exists()
    assert "f\\udcfcr" in result.output and "rename it to valid UTF-8" in result.output


def test_edits_are_never_lost(project: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "p", "cats/{}.jpg", "dogs/{}.jpg")
    params = Path("params.yaml")
    shutil.copy("recipes/planet-lite0.yaml", params)
    written(folder)  # over a recipe, and over what init wrote
    written(folder, "--quick")
    edited = params.read_text().replace("seed: 0", "seed: 1")
    params.write_text(edited)
    result = run(folder)
    assert result.exit_code == 1 and "has edits that no commit holds" in result.output
    assert params.read_text() == edited
    written(folder, "--force")


def test_it_runs_where_the_project_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(tmp_path)
    assert (
        result.exit_code == 1
        and "run the command in the folder that holds dvc.yaml" in result.output
    )


def scenes(folder: Path, *paths: str) -> Path:
    """A JPEG at each path; the name of a file is the number of its scene."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(encoded(scene(int(Path(path).stem))))
    return folder


def test_what_only_pixels_show(project: Path, tmp_path: Path) -> None:
    parts = {"train/cats": range(6), "train/dogs": range(6, 12), "valid/cats": (12,)}
    names = [f"{above}/{i}.jpg" for above, numbers in parts.items() for i in numbers]
    folder = scenes(tmp_path / "p", *names, "valid/dogs/13.jpg")
    (folder / "train/dogs/6.jpg").write_bytes(encoded(scene(6))[:-2000])
    (folder / "train/dogs/7.jpg").write_bytes(encoded(scene(7).convert("L").convert("RGB")))
    (folder / "valid/cats/copy.jpg").write_bytes(encoded(scene(3).resize((160, 120)), quality=60))
    (folder / "train/dogs/copy.png").write_bytes(encoded(scene(4), "PNG"))
    shutil.copy(folder / "train/dogs/8.jpg", folder / "train/dogs/again.jpg")
    output = run(folder).output
    assert "\npixels        15 in colour, 1 grey\n" in output
    assert "unreadable    1: train/dogs/6.jpg (image file is truncated (" in output
    assert "same content  1: train/dogs/8.jpg = train/dogs/again.jpg" in output
    assert (
        "\nlook alike    2 pairs, 1 in train and valid, 1 in two classes: train/cats/3.jpg ~ "
        "valid/cats/copy.jpg, train/cats/4.jpg ~ train/dogs/copy.png\n" in output
    )
    found = json.loads(run(folder, "--json").output)
    assert (found["n_decoded"], found["n_grey"]) == (16, 1)
    pairs = found["look_alike"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("train/cats/3.jpg", "valid/cats/copy.jpg"), ("train/cats/4.jpg", "train/dogs/copy.png")
    ]  # fmt: skip
    assert all(pair["kind"] == "copy" and pair["similarity"] > 0.9 for pair in pairs)
    assert len(found["classes"]) == 2 and found["n_pictures"] == 16


def test_black_pictures_are_no_pairs(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    for i in range(40):
        path = folder / f"{'ab'[i % 2]}/{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(Image.new("RGB", (100 + i, 80))))  # not the same bytes
    assert "look alike" not in run(folder).output
    assert json.loads(run(folder, "--json").output)["look_alike"] == []


def test_frames_of_a_video_are_not_judged(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    for i in range(30):
        path = folder / f"{'ab'[i % 2]}/{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(scene(0).crop((i // 4, 0, 310 + i // 4, 240)), quality=60 + i))
    output = run(folder).output
    assert (
        "\nlook alike    not judged: these pictures are too similar (frames of a video?" in output
    )
    assert json.loads(run(folder, "--json").output)["look_alike"] is None


def test_of_very_many_pictures_a_sample_is_decoded(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scenes(tmp_path / "p", *(f"{'ab'[i % 2]}/{i}.jpg" for i in range(24)))
    (folder / "a/copy.png").write_bytes(encoded(scene(0), "PNG"))
    monkeypatch.setattr("headstart.commands.pixels.MAX_DECODED", 24)
    output = run(folder).output
    assert "\npixels        of 24 of 25 looked at: all in colour\n" in output
    monkeypatch.setattr("headstart.commands.pixels.MAX_DECODED", 25)
    output = run(folder).output
    assert "\npixels        all in colour\n" in output
    assert "\nlook alike    1 pair: a/0.jpg ~ a/copy.png\n" in output


def test_pixels_in_parquet(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    data: list[bytes | None] = [encoded(scene(i)) for i in range(12)]
    label = ["ant", "bee"] * 6
    write_parquet(tmp_path / "p/train.parquet", data, label=label)
    other: list[bytes | None] = [encoded(scene(5), quality=50), encoded(scene(40))[:-900]]
    write_parquet(tmp_path / "p/validation.parquet", other, label=["bee", "ant"])
    output = run(tmp_path / "p").output
    assert "look alike    1 pair, 1 in train and valid: train/bee/train-000006.jpg ~ " in output
    assert "1: valid/ant/validation-000002.jpg (image file is truncated (" in output


@pytest.mark.skipif(not REAL_DATA, reason="HEADSTART_REAL_DATA names no folder with dogscats/")
def test_one_photograph_under_two_names(project: Path) -> None:
    found = json.loads(run(Path(str(REAL_DATA)) / "dogscats", "--json").output)
    assert [(pair["first"], pair["second"]) for pair in found["look_alike"]] == [
        ("train/dogs/dog.180.jpg", "train/dogs/dog.74.jpg")
    ]
    assert (found["n_decoded"], found["unreadable"], found["copies"]) == (2000, [], [])


@pytest.mark.parametrize("in_store", [False, True])
def test_pictures_inside_shards(
    project: Path, tmp_path: Path, in_store: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    names = ("train-000000", "train-000001", "val-000000")
    for k, name in enumerate(names):
        samples = {
            f"{i:03}": {"jpg": picture(20 * k + i, "JPEG"), "cls": b"%d" % (i % 2)}
            for i in range(12)
        }
        write_shard(tmp_path / f"p/{name}.tar", samples)
    (tmp_path / "p/classes.txt").write_text("ant\nbee\n")
    named = tmp_path / "p"
    if in_store:
        named = Path("sources/mine.yaml")
        (project / named).write_text(
            f"kind: remote\nform: webdataset\nclasses: [ant, bee]\n"
            f"files: [{{url: 'file://{tmp_path}/p/*.tar'}}]\n"
        )
    output = run(named).output
    assert f"{'source' if in_store else 'folder':<13} {named}\n" in output
    assert "files         WebDataset shards with 36 pictures inside: 2 splits, 2 classes" in output
    values = YAML(typ="safe").load(Path("params.yaml"))
    assert values["dataset"]["source"] == str(named)
    assert index_of(values, "labels", "split") == ["folders", "given"]
    images = listed(str(named), tmp_path / "images")
    found = index(dict(images), **values["index_images"])
    assert {split: of["n"] for split, of in found.counts()["splits"].items()} == {
        "train": 24, "valid": 12
    }  # fmt: skip
