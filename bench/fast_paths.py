"""Measure what each fast path of the backbone saves: with all, with all but one, and with none.

Run: python -m bench.fast_paths        (the machine should be idle)

All ways run in one process and take turns, call by call, so that a machine whose speed varies slows
all of them alike. The table has medians of the rounds: pictures per second of a frozen forward pass,
and of a training step whose norms are frozen, both at the precisions of `auto`. Beside each stands how
many times as long a call takes as with all paths, the median of the ratios within a round. Then come
the megabytes that a step keeps for its backward pass.
"""

import ctypes
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import click
import torch
from torch import Tensor

from headstart.backbone.backbone import Backbone
from headstart.backbone.device import FORWARD_BATCH, RuntimeParams, prepare
from headstart.backbone.fast.memory import keep_freed_memory

STEP_BATCH = 16
ALL, NONE = "nothing", "all of them"
SPEEDS = ("forward", "step")


def pad_same(conv: Any, x: Tensor) -> Tensor:
    """Pad as timm itself does."""
    from timm.layers.padding import pad_same

    padded: Tensor = pad_same(x, conv.kernel_size, conv.stride, conv.dilation)
    return padded


def _patched(**instead: Callable[..., Any]) -> AbstractContextManager[object]:
    """Replace functions of the backbone; `fast__folded__clip_of` is that of backbone.fast.folded."""
    stack = ExitStack()
    for place, function in instead.items():
        stack.enter_context(patch(f"headstart.backbone.{place.replace('__', '.')}", function))
    return stack


@contextmanager
def _memory_handed_back() -> Iterator[None]:
    """As glibc does by itself: freed memory goes back to the kernel."""
    m_trim_threshold, m_mmap_threshold, m_mmap_max = -1, -3, -4  # from malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(m_mmap_max, 65536)
    mallopt(m_mmap_threshold, 32 * 2**20)  # where glibc's own threshold ends up
    mallopt(m_trim_threshold, 64 * 2**20)
    yield
    keep_freed_memory()


@contextmanager
def _memory_filled() -> Iterator[None]:
    """As torch's deterministic mode does by itself: new memory is filled."""
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = True
    yield
    deterministic.fill_uninitialized_memory = False


# For each path, what leaves it out of a call. A network whose norms are not folded has no clipping.
UNFOLDED = "folded norms"
WITHOUT: dict[str, Callable[[], AbstractContextManager[object]]] = {
    UNFOLDED: nullcontext,
    "clipping convolutions": lambda: _patched(
        fast__folded__clip_of=lambda norm, x: None, fast__folded__padded_as_tensorflow=pad_same
    ),
    "a backward pass of ours": lambda: _patched(backbone__CpuBackward=lambda dtype: nullcontext()),
    "kept memory": _memory_handed_back,
    "memory left as it is": _memory_filled,
}


@contextmanager
def _way(way: str) -> Iterator[None]:
    left_out = WITHOUT if way == NONE else {way: WITHOUT[way]} if way in WITHOUT else {}
    with ExitStack() as stack:
        for leave_out in left_out.values():
            stack.enter_context(leave_out())
        yield


def measure(name: str, size_px: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of `forward` and `step` in each round, and `kept_mb`, of each way."""
    compute = prepare(RuntimeParams(precision="auto", deterministic=True))
    folded = Backbone.create(name).on(compute).eval()
    with patch("headstart.backbone.backbone.fold_frozen_norms", lambda model, trial_px: 0):
        plain = Backbone.create(name).on(compute).eval()
    pictures = torch.rand(FORWARD_BATCH, 3, size_px, size_px, device=compute.device) * 255

    def forward(backbone: Backbone) -> None:
        with torch.inference_mode():
            backbone(pictures)

    def step(backbone: Backbone) -> None:
        backbone.zero_grad()
        backbone(pictures[:STEP_BATCH]).square().mean().backward()

    ways = {way: plain if way in (UNFOLDED, NONE) else folded for way in (ALL, *WITHOUT, NONE)}
    found: dict[str, dict[str, list[float]]] = {way: {"forward": [], "step": []} for way in ways}
    for number in range(-1, rounds):  # the first round warms up
        for way, backbone in sorted(ways.items(), reverse=number % 2 == 1):
            with _way(way):
                for what, run in (("forward", forward), ("step", step)):
                    start = time.perf_counter()
                    run(backbone)
                    if number >= 0:
                        found[way][what].append(time.perf_counter() - start)
    for way, backbone in ways.items():
        with _way(way):
            found[way]["kept_mb"] = [kept_mb(lambda net=backbone: net(pictures[:STEP_BATCH]))]  # type: ignore[misc]
    return found


def kept_mb(run: Callable[[], object]) -> float:
    """MB that a forward pass keeps for its backward pass."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(sizes.values()) / 1e6


def fast_paths_table(name: str, found: dict[str, dict[str, list[float]]]) -> str:
    """A row a way in Markdown."""
    lines = []
    for way, seconds in found.items():
        cells = []
        for what, n_pictures in (("forward", FORWARD_BATCH), ("step", STEP_BATCH)):
            pairs = zip(seconds[what], found[ALL][what], strict=True)
            times = statistics.median(without / with_all for without, with_all in pairs)
            cells += [f"{n_pictures / statistics.median(seconds[what]):.1f}", f"{times:.2f}"]
        lines.append(f"| {name} | {way} | {' | '.join(cells)} | {seconds['kept_mb'][0]:.0f} |")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True)
@click.option("--size-px", default=224, show_default=True)
@click.option(
    "--network", "names", multiple=True, default=("tf_efficientnet_lite0", "resnet34"),
    show_default=True,
)  # fmt: skip
def main(rounds: int, size_px: int, names: tuple[str, ...]) -> None:
    click.echo("| network | without | frozen, pictures/s | times | step, pictures/s | times | MB |")
    click.echo("|---|---|---|---|---|---|---|")
    for name in names:
        click.echo(fast_paths_table(name, measure(name, size_px, rounds)))


if __name__ == "__main__":
    main()
