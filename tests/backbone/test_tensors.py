import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.backbone.tensors import NamedTensors, TensorsError, read_tensors, write_tensors
from headstart.fetching.weights_sources import RandomWeights, TimmWeights, read_source
from headstart.project.located import UserPath

TENSORS = {
    "b.weight": torch.arange(6.0).reshape(2, 3),
    "a": torch.tensor(7),
    "c": torch.ones(2).half(),
}
METADATA = {
    key: f"ü {key}" for key in ("architecture", "mean", "std", "source", "sha256", "z", "y")
}


def test_safetensors_survive_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "new" / "w.safetensors"
    write_tensors(path, NamedTensors(TENSORS, METADATA))
    back = read_tensors(path)
    assert back.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert back.tensors[name].dtype == tensor.dtype
        assert torch.equal(back.tensors[name], tensor)
        assert torch.equal(load_file(path)[name], tensor)  # the library reads it too
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert back.metadata == {**METADATA, "sha256": digest}
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]
    assert back.counts() == {"n_tensors": 3, "n_numbers": 9}


def test_the_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    program = (
        "import torch, sys; from pathlib import Path; "
        "from headstart.backbone.tensors import NamedTensors, write_tensors; "
        "write_tensors(Path(sys.argv[1]), NamedTensors({'b': torch.ones(3), 'a': torch.zeros(2)}, "
        "{c: c for c in 'pqrstuvw'}))"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "1")], check=True)
    tensors = {"b": torch.ones(3), "a": torch.zeros(2)}
    write_tensors(tmp_path / "2", NamedTensors(tensors, {c: c for c in "pqrstuvw"}))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_the_order_of_the_content_does_not_matter(tmp_path: Path) -> None:
    for name, step in (("1", 1), ("2", -1)):
        tensors, metadata = (dict(list(d.items())[::step]) for d in (TENSORS, METADATA))
        write_tensors(tmp_path / name, NamedTensors(tensors, metadata))  # type: ignore[arg-type]
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_odd_memory_layouts_are_written_as_they_read(tmp_path: Path) -> None:
    kernel = torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
    write_tensors(tmp_path / "w.safetensors", NamedTensors({"k": kernel}, {}))
    assert torch.equal(read_tensors(tmp_path / "w.safetensors").tensors["k"], kernel)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_never_written(bad: float, tmp_path: Path) -> None:
    path = tmp_path / "4_checkpoints/w.safetensors"
    broken = TENSORS | {"b.weight": torch.tensor([1.0, bad]), "d": torch.tensor(bad).half()}
    with pytest.raises(
        TensorsError, match=r"safetensors is not written: numbers in b\.weight, d are"
    ):
        write_tensors(path, NamedTensors(broken, {}))
    assert not path.parent.exists()
    write_tensors(path, NamedTensors(TENSORS, {}))
    before = path.read_bytes()
    with pytest.raises(TensorsError, match="not finite"):
        write_tensors(path, NamedTensors(broken, {}))
    assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize(
    "wrapped", ["plain", "state_dict", "model", "model_state_dict", "average", "deep"]
)
def test_pickled_weights_are_unwrapped(wrapped: str, tmp_path: Path) -> None:
    content: Any = {
        "plain": TENSORS,
        "state_dict": {"epoch": 3, "state_dict": TENSORS},
        "model": {"model": TENSORS, "lr": 0.1},
        "model_state_dict": {"model_state_dict": TENSORS, "optimizer": {"state": {}}},
        "average": {"state_dict": {"a": torch.zeros(1)}, "state_dict_ema": TENSORS},
        "deep": {"ema": {"decay": 0.9, "module": TENSORS}},
    }[wrapped]
    file = tmp_path / ("w.ckpt" if wrapped == "deep" else "w.pth")
    torch.save(content, file)
    found = read_tensors(file)
    assert list(found.tensors) == list(TENSORS)
    assert set(found.metadata) == {"sha256"}


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("w.pth", {"a": Malicious()}, "damaged, or holds more than tensors"),
        ("w.pth", {"a": 3}, "no dict of named tensors"),
        ("w.pth", [torch.ones(1)], "no dict of named tensors"),
        ("w.pth", {}, "no dict of named tensors"),
        (
            "w.onnx",
            {"a": torch.ones(1)},
            r"ends in '\.onnx'; files of weights are \.safetensors or",
        ),
    ],
)
def test_other_content_is_refused(
    name: str, content: Any, match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / name)
    with pytest.raises(TensorsError, match=match):
        read_tensors(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("left", [0, 7, 60])
def test_damaged_files_are_refused(suffix: str, left: int, tmp_path: Path) -> None:
    path = tmp_path / f"w.{suffix}"
    torch.save(TENSORS, path) if suffix == "pth" else save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(TensorsError, match="is damaged"):
        read_tensors(path)


def test_another_digest_is_refused(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "w.pth")
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    read_tensors(tmp_path / "w.pth", digest)
    with pytest.raises(TensorsError, match=f"sha256 {digest}, not 0000"):
        read_tensors(tmp_path / "w.pth", "0" * 64)


def test_only_some_sources_have_a_file(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "w.pth")
    file = read_source(UserPath(tmp_path / "w.pth"))
    assert file is not None
    assert list(file.tensors) == list(TENSORS)
    assert read_source(TimmWeights(kind="timm")) is None
    assert read_source(RandomWeights(kind="random", seed=0)) is None
