"""The page of `headstart demo`, asked as its browser asks."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from headstart import Classifier
from headstart.demo.corrections import Corrections
from headstart.demo.server import MAX_BYTES, Demo, application
from headstart.demo.similar import TrainPictures
from headstart.pictures.preprocessing import Preprocessing
from headstart.pictures.resized import write_resized
from headstart.project.errors import HeadstartError
from tests.demo.cached_project import IDS, cached_project, info_of_cached, write_index
from tests.saved_networks import save_networks
from tests.small_networks import FORM, StoredPictures, picture

OWN = {"X-Headstart": "1"}
SMALLER = FORM.model_copy(update={"size_px": 39})
Client = Callable[[str], FlaskClient]


def png(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    save_networks(tmp_path)
    (tmp_path / "uploads").mkdir()

    def of(model: str) -> FlaskClient:
        classifier = Classifier.load(tmp_path / f"{model}.safetensors")
        info = classifier.info
        kept = Corrections(tmp_path / "kept", info.classes, info.task)
        return application(
            Demo(classifier, None, kept, tmp_path / "uploads", "None: no <project>.")
        ).test_client()

    return of


def test_a_dropped_picture_gets_what_the_classifier_says(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    for model in ("net", "many"):
        said = client(model).post("/look", data=png(1), headers=OWN).get_json()
        [row] = (
            Classifier.load(tmp_path / f"{model}.safetensors")
            .predict(tmp_path / "a.png")
            .to_dict("records")
        )
        decided = [row["class"]] if model == "net" else row["labels"]
        assert said["decided"] == decided
        told = [(one["name"], one["p"]) for one in said["classes"]]
        assert told == [(row[f"top_{k}"], row[f"p_{k}"]) for k in (1, 2, 3)]
        kind, content = said["picture"].split(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(content))).size == (48, 40)
        assert said["similar"] == [] and list(said["heat"]) == decided
        for mask in said["heat"].values():
            kind, content = mask.split(",")
            assert Image.open(io.BytesIO(base64.b64decode(content))).size == (64, 53)


def test_a_label_is_kept_with_the_picture(client: Client, tmp_path: Path) -> None:
    browser = client("net")
    key = browser.post("/look", data=png(2), headers=OWN).get_json()["key"]
    said = browser.post("/tell", json={"key": key, "labels": ["eel"]}, headers=OWN).get_json()
    assert said == {"said": f"Kept as {tmp_path}/kept/eel/{key[:16]}.png."}
    assert (tmp_path / f"kept/eel/{key[:16]}.png").read_bytes() == png(2)
    for wrong in ("", "../net.safetensors", "f" * 64):
        answer = browser.post("/tell", json={"key": wrong, "labels": ["eel"]}, headers=OWN)
        assert answer.status_code == 400
        assert answer.get_json()["problem"].endswith("drop it again.")


def test_what_is_no_picture_gets_a_sentence_and_is_not_kept(client: Client, tmp_path: Path) -> None:
    browser = client("net")
    for data in (b"", b"hello", png(1)[:100]):
        answer = browser.post("/look", data=data, headers=OWN)
        assert answer.status_code == 400
        assert re.match(r"This file cannot be read: .*\.$", answer.get_json()["problem"])
    assert not list((tmp_path / "uploads").iterdir())
    large = browser.post("/look", data=b"x" * (MAX_BYTES + 1), headers=OWN)
    assert (
        large.status_code == 413 and large.get_json()["problem"] == "The file has more than 64 MiB."
    )


def test_pages_of_other_sites_are_not_answered(client: Client) -> None:
    browser = client("net")
    assert (
        browser.post("/look", data=png(1)).status_code == 403
    )  # as a form of theirs would send it
    assert browser.get("/", headers={"Host": "theirs.example:7860"}).status_code == 403
    assert browser.get("/", headers={"Host": "127.0.0.1:7860"}).status_code == 200


def test_the_page_escapes_names_and_loads_nothing_from_elsewhere(client: Client) -> None:
    answer = client("many").get("/")
    page = answer.get_data(as_text=True)
    assert "None: no &lt;project&gt;." in page
    assert re.findall(r'type="checkbox" value="(\w+)"', page) == ["cat", "dog", "eel"]
    assert "http:" not in page and "https:" not in page
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_picture_of_train_resembles_itself_most(
    tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    project, machine = cached_project(tmp_path, repo_root)
    train = TrainPictures.of(project, info_of_cached(project), machine)
    (tmp_path / "new").write_bytes(png(1))
    first, *others = train.like(tmp_path / "new", 9)
    assert (first.path, first.labels) == ("1.png", ("dog",))
    assert first.cosine == pytest.approx(1, abs=1e-6) and first.picture.size == (48, 40)
    # valid's picture 3 and picture 4, which has no label, are none of train's
    assert {one.path for one in others} == {"0.png", "2.png"}
    assert all(-1 <= one.cosine < 0.9999 for one in others)
    assert [one.path for one in train.like(tmp_path / "new", 2)] == ["1.png", others[0].path]


def test_another_backbone_than_that_of_the_activations_is_refused(
    tmp_path: Path, repo_root: Path
) -> None:
    project, machine = cached_project(tmp_path, repo_root, other_weights=True)
    with pytest.raises(HeadstartError, match="has other weights than the cached activations"):
        TrainPictures.of(project, info_of_cached(project), machine)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"classes": ("cat", "eel")}, r"has other classes \(cat, dog\) than the network"),
        ({"weights": "f" * 64}, "has other weights of the backbone than the network"),
        (
            {"preprocessing": Preprocessing(stored=(FORM, FORM), pillow="1"), "size_px": 64},
            "",  # smaller copies, another Pillow since and a larger input are of the same project
        ),
        (
            {"preprocessing": Preprocessing(stored=(SMALLER,), pillow=FORM.pillow)},
            "has other stored pictures than the network",
        ),
    ],
)
def test_the_train_pictures_of_another_project_are_refused(
    tmp_path: Path, repo_root: Path, change: dict[str, Any], sentence: str
) -> None:
    project, machine = cached_project(tmp_path, repo_root)
    info = info_of_cached(project).model_copy(update=change)
    if not sentence:
        assert TrainPictures.of(project, info, machine).paths == ("0.png", "1.png", "2.png")
        return
    with pytest.raises(HeadstartError, match=rf"{tmp_path} {sentence} was trained with: run the"):
        TrainPictures.of(project, info, machine)


def test_pictures_that_came_or_went_since_a_stage_ran_are_told(
    tmp_path: Path, repo_root: Path
) -> None:
    project, machine = cached_project(tmp_path, repo_root)
    info, source = info_of_cached(project), StoredPictures()
    rows = ((i, source.encoded(i)) for i in IDS if i != "1")
    write_resized(tmp_path / "data/2_resized", rows, FORM.model_dump(exclude_none=True))
    with pytest.raises(
        HeadstartError, match="lacks 1 of 3 pictures of train, such as '1': run `dvc rep"
    ):
        TrainPictures.of(project, info, machine)
    write_index(tmp_path, without="1")
    with pytest.raises(
        HeadstartError,
        match=r"labels\.parquet lacks 1 of 5 pictures of precompute-activations, such as '1': run "
        "`dvc repro precompute-activations`",
    ):
        TrainPictures.of(project, info, machine)


def test_what_cannot_be_kept_is_told_on_the_page(client: Client, tmp_path: Path) -> None:
    browser = client("many")
    key = browser.post("/look", data=png(2), headers=OWN).get_json()["key"]
    told = {"key": key, "labels": ["eel"]}
    (tmp_path / "kept").write_text("a file in the place of the folder")
    answer = browser.post("/tell", json=told, headers=OWN)
    assert answer.status_code == 500
    assert re.match(rf"{tmp_path}/kept: file exists\. Mend", answer.get_json()["problem"])
    (tmp_path / "kept").unlink()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/labels.csv").write_text("id,label\n1,cat\n")
    answer = browser.post("/tell", json=told, headers=OWN)
    assert answer.status_code == 400 and "has the columns id, label" in answer.get_json()["problem"]
