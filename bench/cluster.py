"""Time both precomputes and resize with 1 and 2 workers: none, processes, Ray's tasks.

Run: python -m bench.cluster [--n 2048]      (some minutes on 2 cores, with the extra `ray`)

The pictures are generated JPEGs of photo size; each worker has one thread of torch and one core. The
start of the workers is timed apart: they make the first shards once, and these are not kept. All ways
must give the same bytes. Processes are for networks: beside them, n threads resize. Efficiency is the
time of one worker over n times that of n.
"""

import filecmp
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench.compare import machine
from bench.new_pictures import four_steps
from bench.pictures import add_pictures
from bench.tables import RESULTS, write_result
from headstart.cluster import chosen

ROOT = Path(__file__).parents[1]
STEPS = ("resized", "plain", "views")
ALONE = "this process alone"
ENVIRONMENT = {"HEADSTART_THREADS": "1", "HEADSTART_KEEP_GB": "0"}  # nothing of an earlier run


def ways(numbers: tuple[int, ...]) -> dict[str, dict[str, str]]:
    """The variables of each way to run."""
    found = {ALONE: {"HEADSTART_WORKERS": "1"}}
    found |= {
        f"{n} processes": {"HEADSTART_PROCS": str(n), "HEADSTART_WORKERS": str(n)}
        for n in numbers
        if n > 1
    }
    if importlib.util.find_spec("ray"):
        found |= {
            f"{n} of Ray": {"HEADSTART_RAY": "local", "HEADSTART_WORKERS": str(n)} for n in numbers
        }
    return found


def timed(images: Path, out: Path, weights: Path, size_px: int) -> dict[str, float]:
    """Seconds of each step, in this process, after its workers have started."""
    n_start = 2 * chosen.N_PICTURES
    some = out / "some"
    for path in sorted(images.rglob("*.jpg"))[:n_start]:
        place = some / "images" / path.relative_to(images)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    start = time.perf_counter()
    four_steps(some / "images", some / "out", weights, 1, size_px)
    first = time.perf_counter() - start
    seconds = four_steps(images, out / "all", weights, 1, size_px)
    return {"first shards": first, **{step: seconds[step] for step in STEPS}}


def differing(one: Path, two: Path) -> list[str]:
    names = [str(f.relative_to(one)) for f in one.rglob("*") if f.suffix in (".npy", ".arrow")]
    return [name for name in names if not filecmp.cmp(one / name, two / name, shallow=False)]


def efficiency(rows: Mapping[str, Mapping[str, float]], way: str, step: str) -> float:
    """Time of one worker of this kind, or of this process, over n times that of n workers."""
    number, _, kind = way.partition(" ")
    one = rows.get(f"1 {kind}", rows[ALONE])
    return one[step] / rows[way][step] / (1 if way == ALONE else int(number))


def table(found: Mapping[str, Any]) -> str:
    rows = found["cluster"]
    lines = [f"| workers | {' | '.join(f'{step}, pictures/s | efficiency' for step in STEPS)} |"]
    lines.append("|" + "---|" * (1 + 2 * len(STEPS)))
    for way in rows:
        cells = [
            f"{found['n'] / rows[way][step]:.0f} | {efficiency(rows, way, step):.2f}"
            for step in STEPS
        ]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--n", default=2048, show_default=True, help="pictures, from 1,280 on")
@click.option("--workers", multiple=True, default=(1, 2), show_default=True)
@click.option("--size-px", default=128, show_default=True, help="of the network's input")
@click.option("--weights", default="data/0_source/backbone.safetensors", show_default=True)
@click.option("--name", default="cluster", show_default=True, help="of the file in bench/results")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
@click.option("--one", nargs=2, type=click.Path(path_type=Path), hidden=True, help="images, out")
def main(
    n: int, workers: tuple[int, ...], size_px: int, weights: str, name: str, results: Path,
    one: tuple[Path, Path] | None,
) -> None:  # fmt: skip
    if one:
        click.echo(json.dumps(timed(*one, Path(weights), size_px)))
        return
    file = Path(weights).resolve()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        root = Path(folder).resolve()
        add_pictures(root / "images", range(n))
        rows: dict[str, dict[str, float]] = {}
        different: dict[str, list[str]] = {}
        for way, variables in ways(workers).items():
            out = root / way.replace(" ", "-")
            out.mkdir()
            command = [sys.executable, "-m", "bench.cluster", "--weights", str(file)]
            command += ["--size-px", str(size_px), "--one", str(root / "images"), str(out)]
            environment = os.environ | ENVIRONMENT | {"DVC_ROOT": str(out)} | variables
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            rows[way] = json.loads(done.stdout.strip().splitlines()[-1])
            different[way] = differing(root / ALONE.replace(" ", "-") / "all", out / "all")
            click.echo(f"{way}: {json.dumps(rows[way])}", err=True)
    found = {
        "name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": "python -m bench.cluster", "n": n, "size_px": size_px, "cluster": rows,
        "different": {way: files for way, files in different.items() if files},
    }  # fmt: skip
    write_result(results, found)
    click.echo(table(found))
    click.echo(f"\nfiles with other bytes: {found['different'] or 'none'}")


if __name__ == "__main__":
    main()
