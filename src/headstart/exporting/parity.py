"""Holds an exported network against the one it was made from: probabilities and time."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.exporting.onnx_file import TOLERANCE
from headstart.exporting.pixels import Pixels, Run
from headstart.labels.task import Task
from headstart.network.checkpoints import CheckpointInfo
from headstart.network.network import Network
from headstart.network.objective import Targets
from headstart.network.probabilities import probabilities
from headstart.project.errors import HeadstartError
from headstart.scores.calibration import calibrated
from headstart.scores.multi_label import f_beta
from headstart.scores.thresholds import decide

BATCH: Final = 32
WARM_UP, TIMED = 2, 15  # single pictures


@dataclass(frozen=True)
class Parity:
    """How an export compares with its network.

    Attributes:
        max_dp: the largest difference of a probability.
        ms: milliseconds of the export for one picture by itself, the median.
        network_ms: those of the network.
    """

    max_dp: float
    ms: float
    network_ms: float


def network_run(networks: list[Network], task: Task, temperature: float) -> Run:
    """The mean probabilities of networks in evaluation mode on the CPU, as `headstart predict` has.

    Args:
        networks: at least one.
        task: decides how logits become probabilities.
        temperature: that calibrates the mean.
    """

    def run(pixels: Pixels) -> NDArray[np.float32]:
        pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # (N, S, S, 3) -> (N, 3, S, S)
        with torch.inference_mode():
            each = [probabilities(network(pictures), task) for network in networks]
        found: NDArray[np.float32] = calibrated(np.mean(each, axis=0), temperature, task).astype(
            "f4"
        )
        return found

    return run


def in_batches(run: Run, pixels: Pixels) -> NDArray[np.float32]:
    """Probabilities (N, K) of any number of pictures, N at least 1."""
    return np.concatenate([run(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)])


def score(run: Run, pixels: Pixels, targets: Targets, info: CheckpointInfo) -> float:
    """The accuracy, or the F2 of many labels at the network's thresholds, in [0, 1]; N at least 1."""
    return score_of(in_batches(run, pixels), targets, info)


def score_of(found: NDArray[np.float32], targets: Targets, info: CheckpointInfo) -> float:
    """The same of probabilities (N, K)."""
    if info.task == "single_label":
        return float((found.argmax(axis=1) == targets).mean())
    decided = decide(found.astype(np.float64), info.thresholds["plain"])
    return float(f_beta(decided, targets.astype(bool)).mean())


def compare(run: Run, network: Run, pixels: Pixels) -> Parity:
    """Run both on the same pictures, N at least 1."""
    # one after the other: onnxruntime's threads spin for a while after a call, which slows torch
    network_ms, ms = (milliseconds(each, pixels) for each in (network, run))
    max_dp = float(np.abs(in_batches(run, pixels) - in_batches(network, pixels)).max())
    return Parity(max_dp, ms, network_ms)


def require_parity(parity: Parity, target: Path, shown: str) -> None:
    """Refuse an export that computes something else.

    Args:
        parity: as `compare` found.
        target: the file that would have been written.
        shown: the pictures, for the sentence.

    Raises:
        HeadstartError: a probability differs by more than TOLERANCE, or is no number.
    """
    if not parity.max_dp <= TOLERANCE:
        raise HeadstartError(
            f"{target} is not written: on {shown} its probabilities differ from the network's by up to "
            f"{parity.max_dp:.1e}; {TOLERANCE:.0e} is allowed."
        )


def milliseconds(run: Run, pixels: Pixels) -> float:
    """Of one picture by itself, the median."""
    found = []
    for i in range(WARM_UP + TIMED):
        one = pixels[i % len(pixels)][None]  # (S, S, 3) -> (1, S, S, 3)
        start = time.perf_counter()
        run(one)
        found.append(1000 * (time.perf_counter() - start))
    return statistics.median(found[WARM_UP:])
