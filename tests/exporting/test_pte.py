"""The file for ExecuTorch computes what the exported program computes, and is made in silence."""

import importlib.util
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.exporting.graph import Graph, exported
from headstart.exporting.pte import load_pte, write_pte
from headstart.exporting.squares import noise
from headstart.project.errors import HeadstartError

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("executorch"), reason="needs executorch"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of torch, about its own code
]
SIZE = 16


class Small(nn.Module):
    """Its weights are channels_last, as those of an exported backbone are."""

    def __init__(self) -> None:
        super().__init__()
        conv: Any = nn.Conv2d(3, 4, 3)
        self.conv = conv.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 4)."""
        found: Tensor = self.conv(pictures.float() / 255).mean((2, 3))
        return found


class Fourier(nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = torch.fft.rfft(pictures.float()).abs().mean((2, 3))
        return found


def graph(network: nn.Module) -> Graph:
    return Graph([network], "single_label").eval().requires_grad_(False)  # type: ignore[list-item]


def test_it_computes_the_same_for_any_number_of_pictures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network, file = Small(), tmp_path / "net.partial"
    program = exported(graph(network), SIZE)
    write_pte(program, file, '{"classes": ["kočka", "犬"]}')
    run = load_pte(file)
    pixels = noise(3, SIZE)
    found = run(pixels)
    of_program = program.module()(torch.from_numpy(pixels)).numpy()
    assert found.shape == (3, 4) and found.dtype == np.float32
    assert np.abs(found - of_program).max() < 1e-6 and np.ptp(found, axis=0).max() > 0.001
    assert network.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert capfd.readouterr() == ("", "") and logging.root.manager.disable == logging.NOTSET

    from executorch.runtime import Runtime

    [text] = Runtime.get().load_program(file).load_method("headstart").execute([])
    assert json.loads(text) == {"classes": ["kočka", "犬"]}


def test_what_it_cannot_convert_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HeadstartError, match=r"ExecuTorch does not convert this network: .+\.$"):
        write_pte(exported(graph(Fourier()), SIZE), tmp_path / "net.pte", "{}")
    assert not list(tmp_path.iterdir()) and logging.root.manager.disable == logging.NOTSET
