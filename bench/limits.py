"""Measure the limits of the machine, and which fraction of them each stage reaches.

Run: python -m bench.limits        (about three minutes on 2 cores; --quick for a few seconds)

First come the limits: the fastest matrix product in fp32 and bf16, the memory bandwidth of a copy,
and the JPEGs that all workers decode. Then each of our parts is measured as a fraction of its
limit:
- a forward pass: its floating-point operations (a multiply and an add are two) at the speed of the
  matrix product in the same precision;
- a training step: three times as many operations;
- resizing: the decoder alone.
Augmentation is measured as a fraction of a training step.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from bench.compare import machine
from bench.pictures import SPARE, generated
from bench.tables import RESULTS, limits_table, write_result
from headstart.backbone.backbone import Backbone, BackboneParams
from headstart.backbone.device import RuntimeParams, forward_batch, prepare
from headstart.checks.whole_file import load_section
from headstart.pictures.resized import ResizedPictures, write_resized
from headstart.pictures.rgb import decode_rgb
from headstart.project.workers import in_order, n_workers
from headstart.steps.resize import ResizeParams
from headstart.views.augment import AugmentParams, draw
from headstart.views.inference import forward_passes, id_batches
from headstart.views.pictures import Pictures, moved

RUNTIME = RuntimeParams(precision="auto", deterministic=True)
NETWORKS = ("tf_efficientnet_lite0", "resnet34")


def best(run: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest round, after a round that warms up."""

    def seconds() -> float:
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - start

    seconds()
    return min(seconds() for _ in range(rounds))


def product_flops(dtype: torch.dtype, side: int, rounds: int, device: torch.device) -> float:
    """Operations per second of a square matrix product, by the fastest way in torch.

    torch may compute a product in another library than a linear layer or a 1x1 convolution, although
    all three are the same operation.
    """
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    points = a.T.reshape(1, side, side // 32, 32).contiguous(memory_format=torch.channels_last)
    filters = b.T[:, :, None, None].contiguous()
    ways = (
        lambda: a @ b,
        lambda: functional.linear(a, b.T),
        lambda: functional.conv2d(points, filters),
    )
    with torch.inference_mode():
        return 2 * side**3 / min(best(way, rounds) for way in ways)


def bytes_a_second(n_bytes: int, rounds: int, device: torch.device) -> float:
    """Bytes per second, read and written, of a copy that is larger than every cache."""
    source = torch.rand(n_bytes // 4, device=device)
    target = torch.empty_like(source)
    return 2 * n_bytes / best(lambda: target.copy_(source), rounds)


def operations(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def shares(run: Callable[[], object]) -> dict[str, float]:
    """Fractions of the time of a training step: convolutions, forward and backward, and the rest."""
    on_gpu = torch.cuda.is_available()
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=kinds) as profiler:
        run()
    times = {
        event.key: event.self_device_time_total if on_gpu else event.self_cpu_time_total
        for event in profiler.key_averages()
        if not on_gpu or event.key.startswith("aten::")  # its kernels have rows of their own
    }
    of_convolutions = {
        "backward of convolutions": ("aten::convolution_backward",),
        "their forward": ("aten::mkldnn_convolution", "aten::cudnn_convolution"),
    }
    found = {
        kind: sum(times.get(name, 0.0) for name in names) / sum(times.values())
        for kind, names in of_convolutions.items()
    }
    return {**found, "all else": 1 - sum(found.values())}


def parts(
    name: str, stored: ResizedPictures, size_px: int, rounds: int, limits: dict[str, float]
) -> dict[str, Any]:
    """Pictures per second of each part of one network, and the fraction of its limit."""
    backbone = Backbone.create(name).eval().requires_grad_(False)
    device = backbone.on(prepare(RUNTIME)).compute.device
    frame = load_section("backbone", BackboneParams).frame()
    batches = id_batches(stored.ids, device)

    def pictures() -> Pictures:
        return Pictures.of(stored, size_px, frame, device)  # anew, so that none is decoded yet

    shown = [crops.clone() for crops in pictures().plain(batches)]
    augment = load_section("augment", AugmentParams)
    views = [draw(augment, 0, 0, picture) for picture in batches[0]]
    n = len(stored.ids)

    def training_step() -> None:
        backbone.requires_grad_(True).zero_grad()
        backbone(shown[0]).square().mean().backward()
        backbone.requires_grad_(False)

    n_first = len(batches[0])
    bf16 = backbone.compute.inference_dtype == torch.bfloat16
    product = limits["bf16 product, GFLOP/s" if bf16 else "fp32 product, GFLOP/s"] * 1e9
    # without gradients some operations have other names, which torch does not count
    forward_flops = operations(lambda: backbone(shown[0])) / n_first
    frozen = n / best(lambda: list(forward_passes(backbone, pictures().plain(batches))), rounds)
    network = n / best(lambda: list(forward_passes(backbone, shown)), rounds)
    step, of_step = best(training_step, rounds), shares(training_step)
    decoded = pictures().remembered()
    fed = n / best(lambda: list(decoded.views(batches, augment, 0, 0)), rounds)
    augmented = best(lambda: moved(shown[0], views), rounds)
    return {
        "GFLOP a picture, forward": forward_flops / 1e9,
        "frozen, from stored pictures: pictures/s": frozen,
        "frozen, from stored pictures: of the product": frozen * forward_flops / product,
        "frozen, the network alone: of the product": network * forward_flops / product,
        "training step: pictures/s": n_first / step,
        "training step: of the fp32 product": n_first / step * 3 * forward_flops
        / (limits["fp32 product, GFLOP/s"] * 1e9),
        **{f"training step, share of: {kind}": share for kind, share in of_step.items()},
        "its feed after the first epoch, cropped and augmented: pictures/s": fed,
        "augmentation: of a training step": augmented / (augmented + step),
    }  # fmt: skip


def stored_pictures(
    folder: Path, files: list[bytes], short_px: int, params: ResizeParams
) -> ResizedPictures:
    """The files as the stage `resize` stores them."""
    form = params.form().model_copy(update={"size_px": short_px})
    rows = ((f"{number:06}", form.encode(data)) for number, data in enumerate(files))
    write_resized(folder, rows, params.manifest())
    return ResizedPictures(folder)


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="small products and pictures: does it run?")
@click.option("--size-px", default=224, show_default=True)
@click.option("--name", default="limits", show_default=True, help="of the file in bench/results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(quick: bool, size_px: int, name: str, results: Path) -> None:
    device = prepare(RUNTIME).device
    on_gpu = device.type == "cuda"
    side, n_bytes, rounds = (8192, 2**32, 3) if on_gpu else (3072, 2**28, 3)
    n = 4 * forward_batch(device)
    if quick:
        side, n_bytes, rounds, n = 256, 2**22, 1, 32
    files = [generated(number) for number in range(n)]
    stored_as = load_section("resize", ResizeParams)
    limits = {
        "fp32 product, GFLOP/s": product_flops(torch.float32, side, 3 * rounds, device) / 1e9,
        "bf16 product, GFLOP/s": product_flops(torch.bfloat16, side, 3 * rounds, device) / 1e9,
        "copy, GB/s": bytes_a_second(n_bytes, rounds, device) / 1e9,
        f"JPEG decoding, {n_workers()} workers, pictures/s": n
        / best(lambda: list(in_order(decode_rgb, files)), rounds),
    }

    decoding = list(limits.values())[-1]
    resizing = n / best(lambda: list(in_order(stored_as.form().encode, files)), rounds)
    command = "python -m bench.limits" + (f" --name {name}" if name != "limits" else "")
    with tempfile.TemporaryDirectory() as folder:
        stored = stored_pictures(Path(folder), files, round(SPARE * size_px), stored_as)
        networks = {net: parts(net, stored, size_px, rounds, limits) for net in NETWORKS}
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": command, "size_px": size_px, "threads": torch.get_num_threads(),
        "limits": limits,
        "resize": {"pictures/s": resizing, "of decoding alone": resizing / decoding},
        "networks": networks,
    }  # fmt: skip
    write_result(results, found)
    click.echo(limits_table(found))


if __name__ == "__main__":
    main()
