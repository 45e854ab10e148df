"""Outputs of networks that workers compute, in shards, with the bits that this process would get."""

import copy
import os
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.activations.frozen import AugmentedView, Row, view_outputs
from headstart.backbone import torchvision_ops
from headstart.backbone.backbone import Backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.backbone.frame import Frame
from headstart.cluster.jobs import Make, Needs, Read, pickled
from headstart.cluster.spread import Work, Workers, spread
from headstart.pictures.preprocessing import StoredForm
from headstart.pictures.resized import ResizedPictures
from headstart.pictures.rgb import decode_stored
from headstart.project.errors import HeadstartError
from headstart.project.report import Report, Silent
from headstart.views.pictures import Pictures


def outputs_elsewhere(
    workers: Workers,
    shaped_by: Mapping[str, Any],
    forward: Callable[[Tensor], Tensor],
    pictures: Pictures,
    view: AugmentedView | None,
    ids: Sequence[str],
    progress: tuple[Report, str],
) -> Iterator[Row]:
    """As `frozen.view_outputs`, computed by workers.

    Args:
        workers: who compute.
        shaped_by: JSON values: all that shapes an output beside the picture, with
            `Compute.kernels()`, which each worker must have too.
        forward: the network, a module in evaluation mode.
        pictures, view, ids, progress: as `view_outputs` has them.

    Raises:
        HeadstartError: as `cluster.spread.spread`.
    """
    if not isinstance(forward, nn.Module):
        raise TypeError(f"workers need a module, and {type(forward).__name__} is none.")
    device, n_threads = pictures.device.type, torch.get_num_threads()

    def job() -> OutputsJob:
        return OutputsJob(
            pickled(copy.deepcopy(forward).to("cpu")),
            pictures.size_px,
            pictures.frame,
            tuple(pictures.stored.history),
            device,
            n_threads,
            torch.get_deterministic_debug_mode() > 0,
            shaped_by,
        )

    about = {key: value for key, value in shaped_by.items() if key != "view"}
    needs = Needs(n_threads, device == "cuda")
    stored = pictures.stored
    digest = stored.digest if isinstance(stored, ResizedPictures) else ""  # of their bytes
    of_shards = {"of": "rows", "pictures": digest, **shaped_by}
    work = Work(job, about, of_shards, view, stored.encoded, needs)
    report, label = progress
    for record in report.progress(spread(workers, work, ids), len(ids), label):
        yield np.frombuffer(record, np.float32)


@dataclass(frozen=True)
class OutputsJob:
    """Computes a network's outputs; a `cluster.jobs.Job`.

    Attributes:
        network: pickled, in evaluation mode, on the CPU.
        size_px: side of its input.
        frame: what the plain view shows.
        history: the forms that a picture went through.
        device: its kind: cpu, cuda or mps.
        n_threads: of torch.
        deterministic: whether kernels whose result varies are refused.
        shaped_by: JSON values, with the driver's `Compute.kernels()`.
    """

    network: bytes
    size_px: int
    frame: Frame
    history: tuple[StoredForm, ...]
    device: str
    n_threads: int
    deterministic: bool
    shaped_by: Mapping[str, Any]

    def open(self) -> Make:
        """Put the network on this worker's device.

        Raises:
            HeadstartError: this machine would compute other last bits than the driver.
        """
        runtime = RuntimeParams(precision="auto", deterministic=self.deterministic)
        here = {"HEADSTART_THREADS": str(self.n_threads), "HEADSTART_DEVICE": self.device}
        compute = prepare(runtime, os.environ | here)
        for key, found in compute.kernels().items():
            if found != self.shaped_by[key]:
                raise HeadstartError(
                    f"A worker ({platform.node()}) has other {key} ({found!r}) than this machine "
                    f"({self.shaped_by[key]!r}), so its results would have other last bits: let only "
                    "machines work together that have the same."
                )
        torchvision_ops.declare_missing()  # before timm is imported
        network = pickle.loads(self.network).to(compute.device)
        for module in network.modules():
            if isinstance(module, Backbone):
                module.compute = replace(module.compute, device=compute.device)

        def make(names: Sequence[str], view: AugmentedView | None, read: Read) -> Iterable[bytes]:
            stored = ReadPictures(read, self.history)
            pictures = Pictures.of(stored, self.size_px, self.frame, compute.device)
            for row in view_outputs(network, pictures, view, names, (Silent(), "")):
                yield row.tobytes()

        return make


@dataclass(frozen=True)
class ReadPictures:
    """Stored pictures whose bytes came with a shard, or are read from a shared folder."""

    encoded: Read
    history: tuple[StoredForm, ...]

    def decode(self, picture: str) -> Image.Image:
        """The picture, RGB."""
        return decode_stored(self.encoded(picture))

    def at(self, size_px: int, report: Report) -> "ReadPictures":
        """The same pictures: the driver has made the smaller ones."""
        return self
