"""A row has its network as a model: logged once, registered once, and made up for after a failure."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from headstart import Classifier
from headstart.exporting.as_onnx import as_onnx
from headstart.network.checkpoints import read_checkpoint
from headstart.project.safetensors_file import write_safetensors
from headstart.tracking.served_model import ModelFile, Served, keep_model, registered_name
from headstart.tracking.store import open_store, tracking_uri
from headstart.tracking.tracker import Tracker, publish
from tests.saved_networks import save_networks
from tests.small_networks import picture
from tests.tracked import row
from tests.tracking.test_tracking_failures import Failing

pytestmark = pytest.mark.usefixtures("tracked_project", "networks")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    save_networks(folder)
    return folder


@pytest.fixture
def networks(tracked_project: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small checkpoints in the folder in which the test runs."""
    monkeypatch.setenv("HEADSTART_DEVICE", "cpu")
    shutil.copytree(made, Path.cwd(), dirs_exist_ok=True)


NET, TWO = Path("net.safetensors"), Path("two.safetensors")


def the_checkpoint(checkpoint: Path, _: Path) -> Path:
    """As where torch cannot convert the network; it takes no time."""
    return checkpoint


def published(model: Path, served: Served = the_checkpoint, **metrics: float) -> Any:
    """Publish a row with its model; return the row."""
    row_id = publish(row(**metrics), [], model=model, served=served)
    return Tracker().client.get_run(row_id)


def models_of(run: Any) -> list[str]:
    return [output.model_id for output in run.outputs.model_outputs]


def all_models() -> list[Any]:
    tracker = Tracker()
    return list(tracker.client.search_logged_models([tracker.experiment_id]))


def versions(name: str = "headstart") -> dict[int, str]:
    """Number -> id of the logged model, of all versions; the logged model knows them too."""
    found = Tracker().client.search_model_versions(f"name = '{name}'")
    ids = {model.artifact_location: model for model in all_models()}
    for version in found:
        [known] = json.loads(ids[version.source].tags["mlflow.modelVersions"])
        assert known == {"name": name, "version": version.version}
    return {int(version.version): ids[version.source].model_id for version in found}


def current(name: str = "headstart", alias: str = "current") -> int:
    return int(Tracker().client.get_model_version_by_alias(name, alias).version)


def test_the_same_network_is_logged_and_registered_once() -> None:
    first, again = published(NET, a=1.0), published(NET, a=1.0)
    [model] = models_of(first)
    assert models_of(again) == [model]
    assert (len(all_models()), versions(), current()) == (1, {1: model}, 1)
    Tracker().client.set_registered_model_alias("headstart", "champion", "1")

    [other] = models_of(published(TWO, a=2.0))
    assert (versions(), current()) == ({1: model, 2: other}, 2)
    assert models_of(published(NET, a=1.0)) == [model]
    assert (len(versions()), current(), current(alias="champion")) == (2, 1, 1)


def test_a_version_is_described_as_its_row_is() -> None:
    row_id, tracker = publish(row(), []), Tracker()
    assert row_id is not None
    tracker.client.set_tag(row_id, "mlflow.note.content", "valid accuracy 0.95")
    keep_model(tracker, row_id, ModelFile.of(NET), register=True)
    [version] = tracker.client.search_model_versions()
    assert version.description == "valid accuracy 0.95"
    assert version.run_id == row_id


def test_an_experiment_has_a_model_that_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("DVC_EXP_NAME", "calm-otter")
        tried = published(NET)
    [model] = models_of(tried)
    assert versions() == {}
    keep_model(Tracker(), tried.info.run_id, ModelFile.of(NET), register=True)
    assert versions() == {1: model}


def test_the_name_is_the_experiments_or_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "/Shared/cats: big")
    assert registered_name() == "_Shared_cats_ big"
    monkeypatch.setenv("HEADSTART_MODEL_NAME", "it's mine")
    published(NET)
    found = Tracker().client.search_registered_models()
    assert [model.name for model in found] == ["it's mine"] and current("it's mine") == 1


@pytest.mark.parametrize("served", [as_onnx, the_checkpoint])
def test_a_logged_model_answers_as_the_classifier_does(
    tracked_project: Path, served: Served
) -> None:
    """Also after its project has moved."""
    import mlflow

    published(NET, served)
    moved = tracked_project.rename(tracked_project.with_name("moved"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(moved))
        Tracker()
        picture(0).save("0.png")
        content = Path("0.png").read_bytes()
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
        model = mlflow.pyfunc.load_model("models:/headstart@current")
        [version] = Tracker().client.search_model_versions("name = 'headstart'")
        assert moved.as_uri() in version.source
    asked = pd.DataFrame({"picture": [content, b"broken"]})
    good, bad = model.predict(asked, params={"top_k": 1}).to_dict("records")
    wanted = Classifier.load(NET).predict("0.png").iloc[0]
    assert good["class"] == wanted["class"]
    assert good["probability"] == pytest.approx(wanted["p_1"], abs=1e-5)
    assert good["top"] == [{"class": good["class"], "probability": good["probability"]}]
    assert "no picture" in bad["problem"] and bad["class"] is None


def test_a_checkpoint_of_dvc_is_not_stored_twice() -> None:
    NET.chmod(0o444)
    published(NET)
    published(TWO)
    places = {model.tags["headstart.md5"]: model.artifact_location for model in all_models()}
    for path, linked in ((NET, True), (TWO, False)):
        stored = Path(places[ModelFile.of(path).md5].removeprefix("file://").replace("%20", " "))
        assert (stored / path.name).samefile(path) == linked
        assert (stored / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("late", [False, True])
def test_a_call_that_fails_is_made_up_for(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever call MLflow fails: before it has done anything, or after it did it."""
    opened = open_store()
    monkeypatch.setattr("headstart.tracking.runs.open_store", lambda: opened)
    n_told = 0
    for n, path in zip(itertools.count(), different_files()):
        model, tracker = ModelFile.of(path, the_checkpoint), Tracker()
        row_id = tracker.add_row(row(a=float(n)), [])
        tracker.client = Failing(tracker.client, n, late)
        keep_model(tracker, row_id, model, register=True)
        if not tracker.client.failed:
            assert tracker.missing == {}
            break
        n_told += tracker.missing == {"the model": "gone"}
        tracker = Tracker()
        keep_model(tracker, row_id, model, register=True)
        assert tracker.missing == {}
        [logged] = [m for m in all_models() if m.tags["headstart.md5"] == model.md5]
        assert logged.status == "READY" and logged.source_run_id == row_id
        assert models_of(tracker.client.get_run(row_id)) == [logged.model_id]
        assert versions()[current()] == logged.model_id
        assert len(set(versions().values())) == len(versions()) == n + 1
    assert (
        n >= 10
    )  # search, create, files, finalize, row, outputs, search, name, version, alias, tag


def different_files() -> Iterator[Path]:
    """Copies of a checkpoint that differ in their last byte, for as many different models."""
    for number in itertools.count():
        path = Path(f"{number}.safetensors")
        data = NET.read_bytes()[:-1] + bytes([number])
        write_safetensors(path, data, {"headstart": read_checkpoint(NET).info.model_dump_json()})
        yield path


def test_a_store_that_takes_no_files_gets_the_model_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = Path("blocked").absolute()
    blocked.write_text("a file, where a folder should be\n")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "elsewhere")
    place = (blocked / "art").as_uri()
    MlflowClient(tracking_uri()).create_experiment("elsewhere", artifact_location=place)
    run = published(NET)
    err = capsys.readouterr().err
    assert "did not store the model (" in err and err.count("\n") == err.count("sync") == 1
    assert run.data.tags["headstart.complete"] == "true" and models_of(run) == []
    assert versions("elsewhere") == {}
    blocked.unlink()
    assert len(models_of(published(NET))) == 1 and capsys.readouterr().err == ""
    [model] = all_models()
    assert versions("elsewhere") == {1: model.model_id}


def test_a_file_that_is_gone_is_missed_only_where_mlflow_lacks_it() -> None:
    model, row_id = ModelFile.of(NET), Tracker().add_row(row(), [])
    gone, tracker = ModelFile(model.md5, lambda: None), Tracker()
    keep_model(tracker, row_id, gone, register=False)
    assert "`dvc pull` may bring it" in tracker.missing["the model"] and all_models() == []
    keep_model(tracker, row_id, model, register=False)
    tracker = Tracker()
    keep_model(tracker, row_id, gone, register=True)
    assert tracker.missing == {} and len(versions()) == 1


def test_a_damaged_network_is_not_logged() -> None:
    NET.write_bytes(NET.read_bytes()[:-1])
    tracker = Tracker()
    row_id = tracker.add_row(row(a=1.0), [])
    keep_model(tracker, row_id, ModelFile.of(NET), register=True)
    assert "net.safetensors is damaged" in tracker.missing["the model"]
    assert not all_models()
