"""Compare headstart and its peers on the same machine, pictures, split, weights, sizes, epochs.

Run: pip install -e '.[bench]' && python -m bench.compare
     python -m bench.compare --pictures /your/folder     (train and valid, each with a folder a class)
     python -m bench.compare --generated 25000 --n-train 20000 --n-valid 5000 --name gpu   (with a GPU)

The whole recipe has one round per seed. headstart runs `dvc repro` in a fresh clone, which includes
the start-up of all stages. fastai trains the same epochs in one process, as its documentation advises.

Interleaved rounds measure:
- a fine-tuning epoch, also by torchvision's reference loop;
- the next experiment on the head: the rate of `train_head` and of `train_augmented` changes, and all
  work up to the augmented head is done; headstart runs `dvc repro`, fastai a process that has started;
- the cost of a stage that does nothing, and `dvc repro` of all stages when nothing changed.

fastai runs at the best of {NCHW, channels_last}, {0, 1, 2} workers, and OpenMP threads that {spin,
sleep} while they wait (headstart's sleep); one frozen epoch is timed for each. torchvision's loop has
the same workers and threads.
"""

import importlib.metadata
import importlib.util
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from bench import ours
from bench.peers import loaded
from bench.pictures import add_pictures
from bench.tables import RESULTS, compare_table, write_result
from headstart.fetching.image_sources import PackageImages, read_images_source
from headstart.image_files.tree import list_tree
from headstart.project.located import locate

Keep = Callable[[str, str, Mapping[str, float]], None]  # kind of row, tool, measurements
ROWS = ("idle", "head", "epoch")  # kinds of rows that are measured in rounds
PACKAGES = ("torch", "timm", "torchvision", "dvc", "mlflow", "fastai", "pillow")


def choose(pictures: Path, folder: Path, counts: Mapping[str, int]) -> None:
    """Copy `counts` pictures per split below `folder`, in proportion to the classes."""
    names = [name for name in list_tree(pictures).sizes if name.lower().endswith((".jpg", ".png"))]
    given = all(name.split("/")[0] in ("train", "valid", "test") for name in names)
    shuffled = np.random.default_rng(0).permutation(sorted(names)).tolist()
    by_class: dict[tuple[str, str], list[str]] = {}
    for name in shuffled:
        parts = name.split("/")
        by_class.setdefault((parts[0] if given else "", parts[-2]), []).append(name)
    for split, wanted in counts.items():
        pool = {k: v for k, v in by_class.items() if k[0] in ("", split)}
        frac = wanted / sum(len(v) for k, v in pool.items())
        for (_, label), of_class in pool.items():
            target = folder / split / label
            target.mkdir(parents=True)
            for name in [of_class.pop() for _ in range(round(frac * len(of_class)))]:
                shutil.copy(pictures / name, target / Path(name).name)


def in_process(module: str, *arguments: str, passive: bool = True) -> Any:
    """Run a module and return the JSON that it prints last; `passive` as in `loaded`."""
    command, environment = loaded(module, passive)
    done = subprocess.run(
        [*command, *arguments],
        cwd=ours.ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.strip().splitlines()[-1])


def fastai(what: str, setting: Mapping[str, Any], *arguments: str) -> Any:
    """Run bench.peer_fastai in a process with the threads of the setting, and return its result."""
    words = (what, "--setting", json.dumps(setting), *arguments)
    return in_process("bench.peer_fastai", *words, passive=setting["passive"])


def fastai_recipe(setting: Mapping[str, Any], seed: int) -> dict[str, float]:
    start = time.perf_counter()
    found = fastai("recipe", setting, "--seed", str(seed))
    seconds = time.perf_counter() - start
    accuracies = {key: found[key] for key in ("accuracy", "tta")}
    return {"seconds": seconds, **accuracies, **ours.parts(seconds, found["seconds"])}


def best_of_fastai(setting: Mapping[str, Any], workers: tuple[int, ...]) -> dict[str, Any]:
    """The fastest memory format, number of workers and way to wait; each is timed by a frozen epoch.

    Returns:
        These three, and the seconds of each combination tried.
    """
    tried = []
    for last, n_workers, passive in itertools.product((False, True), workers, (False, True)):
        learner = {**setting["learner"], "last": last, "n_workers": n_workers}
        found = fastai("frozen", {**setting, "learner": learner, "passive": passive})
        how = {"last": last, "n_workers": n_workers, "passive": passive}
        tried.append({**how, "seconds": found["seconds"]})
    best = min(tried, key=lambda trial: trial["seconds"])
    return {**best, "tried": tried}


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    chip = next(
        (line.split(": ")[1] for line in lines if "model name" in line), platform.processor()
    )
    if torch.cuda.is_available():
        chip = f"{chip}, {torch.cuda.get_device_name()}"
    versions = {name: _version(name) for name in PACKAGES}
    return {"chip": chip, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def shown(
    arguments: list[str], module: str = "bench.compare", folders: Sequence[str] = ("--pictures",)
) -> str:
    """The command to print beside the results: without --results, and folders by last name only."""
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    words = [
        f"{option} {Path(value).name if option in folders else value}"
        for option, value in pairs
        if option != "--results"
    ]
    return " ".join([f"python -m {module}", *words])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


class Comparison:
    """Measures the rows of the table, on one choice of pictures.

    Args:
        work: an empty folder.
        source: folder of the pictures.
        options: options of the command.
        has_fastai: whether fastai is installed.
    """

    def __init__(
        self, work: Path, source: Path, options: Mapping[str, Any], has_fastai: bool
    ) -> None:
        self._work, self._options, self._has_fastai = work, options, has_fastai
        self._pictures, self._more = work / "pictures", work / "more"
        choose(source, self._pictures, {k: options[f"n_{k}"] for k in ("train", "valid")})
        choose(source, self._more, {k: options[f"head_{k}"] for k in ("train", "valid")})
        first = ours.Clone(work / "weights", self._recipe(self._pictures, options["size_px"], 0))
        first.repro("fetch-weights")
        self._weights = str(first.root / "data/0_source/backbone.safetensors")
        self._how: dict[str, Any] = {"last": False, "n_workers": 0, "passive": True}  # of fastai
        if has_fastai:
            workers = tuple(map(int, options["workers"].split(",")))
            self._how = best_of_fastai(self._fastai(), workers)

    def about(self) -> dict[str, Any]:
        """The result before any row: the settings that determine the rows."""
        kept = ("n_train", "n_valid", "size_px", "epoch_px", "n_idle", "batch", "threads")
        return {
            **{key: self._options[key] for key in kept},
            "n_head": self._options["head_train"] + self._options["head_valid"],
            "fastai": self._how,
            "recipe": {}, "epoch": {}, "head": {}, "idle": {},
        }  # fmt: skip

    def rounds(self, keep: Keep) -> None:
        """Measure the rows of interleaved rounds."""
        size_px, options = self._options["epoch_px"], self._options
        kinds = options["rows"]
        epoch = {
            "pictures": str(self._pictures), "weights": self._weights, "size_px": size_px,
            "batch": options["batch"], "threads": options["threads"],
            "n_workers": self._how["n_workers"],
        }  # fmt: skip
        theirs = {
            "epoch": ("all", self._fastai(size_px=size_px)),
            "head": ("head", self._fastai(size_px=size_px, pictures=str(self._more))),
        }
        if "idle" in kinds:
            pictures, n_idle = self._work / "idle-pictures", options["n_idle"]
            idle = ours.idle_project(self._work / "idle", pictures, n_idle)
        if "head" in kinds:
            head = ours.Clone(self._work / "head", self._recipe(self._more, size_px, 0))
            head.repro("train-augmented")
        for number in range(options["rounds"]):
            if "idle" in kinds:
                keep("idle", "headstart", ours.idle_round(idle))
            if "head" in kinds:
                keep("head", "headstart", ours.next_head(head, number))
            if "epoch" in kinds:
                words = ("--setting", json.dumps(epoch))
                keep("epoch", "headstart", in_process("bench.epoch", "ours", *words))
                passive = self._how["passive"]
                reference = in_process("bench.epoch", "reference", *words, passive=passive)
                keep("epoch", "torchvision", reference)
            for kind, (what, setting) in theirs.items() if self._has_fastai else ():
                if kind not in kinds:
                    continue
                keep(kind, "fastai", fastai(what, setting))

    def recipes(self, keep: Keep) -> None:
        """Measure the whole recipe, one seed per round."""
        for seed in range(self._options["seeds"]):
            folder = self._work / f"seed-{seed}"
            changes = self._recipe(self._pictures, self._options["size_px"], seed)
            keep("recipe", "headstart", ours.recipe(folder, changes))
            shutil.rmtree(folder)
            if self._has_fastai:
                keep("recipe", "fastai", fastai_recipe(self._fastai(), seed))

    def _recipe(self, pictures: Path, size_px: int, seed: int) -> dict[str, Any]:
        return ours.recipe_of(pictures, size_px, seed, self._options["batch"])

    def _fastai(self, **changed: Any) -> dict[str, Any]:
        learner = {
            "pictures": str(self._pictures), "weights": self._weights,
            "size_px": self._options["size_px"], "batch": self._options["batch"],
            "last": self._how["last"], "n_workers": self._how["n_workers"],
        }  # fmt: skip
        return {
            "learner": {**learner, **changed}, "passive": self._how["passive"], "n_iter": ours.N_ITER,
            "head_epochs": ours.HEAD_EPOCHS, "augmented_epochs": ours.AUGMENTED_EPOCHS,
            "cycles": ours.CYCLES, "threads": self._options["threads"],
        }  # fmt: skip


@click.command(help=__doc__)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="a folder of train and valid, or of a folder a class; default: the simulated textile",
)
@click.option("--generated", default=0, help="instead: so many generated JPEGs of photo size")
@click.option("--name", default="textile", show_default=True, help="of the file in bench/results")
@click.option("--n-train", default=600, show_default=True)
@click.option("--n-valid", default=200, show_default=True)
@click.option("--head-train", default=1200, show_default=True, help="of the next head")
@click.option("--head-valid", default=400, show_default=True, help="of the next head")
@click.option("--size-px", default=128, show_default=True, help="of the whole recipe")
@click.option("--epoch-px", default=224, show_default=True, help="of epochs and the next head")
@click.option("--n-idle", default=2000, show_default=True, help="pictures where nothing is to do")
@click.option("--seeds", default=3, show_default=True, help="rounds of the whole recipe")
@click.option("--rounds", default=3, show_default=True, help="of all other rows")
@click.option(
    "--rows",
    type=click.Choice(ROWS),
    multiple=True,
    default=ROWS,
    help="which of the other rows; all by default",
)
@click.option("--batch", default=64, show_default=True, help="of fastai and of the epoch")
@click.option("--threads", default=0, help="of torch; 0: as many as it takes by itself")
@click.option("--workers", default="0,1,2", show_default=True, help="that fastai tries")
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path), help="where to")
def main(pictures: Path | None, generated: int, name: str, results: Path, **options: Any) -> None:
    has_fastai = importlib.util.find_spec("fastai") is not None
    if not has_fastai:
        click.echo(
            "fastai is not installed (pip install -e '.[bench]'): its rows stay empty.", err=True
        )
    if threads := options["threads"]:
        os.environ |= {"HEADSTART_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory(prefix="compare-") as temporary:
        work = Path(temporary).resolve()
        if generated:
            pictures = work / "generated"
            add_pictures(pictures, range(generated))
        comparison = Comparison(work, pictures or textile(), options, has_fastai)
        about = {"name": name, "when": datetime.now(UTC).date().isoformat(), "machine": machine()}
        found = {**about, "command": shown(sys.argv[1:]), **comparison.about()}

        def keep(kind: str, who: str, result: Mapping[str, float]) -> None:
            found[kind].setdefault(who, []).append(result)
            click.echo(f"{kind}, {who}: {json.dumps(result)}", err=True)
            write_result(results, found)

        if options["rounds"]:
            comparison.rounds(keep)
        comparison.recipes(keep)
    click.echo(compare_table(found))


def textile() -> Path:
    source = read_images_source("sources/textile.yaml")  # in the folder that also holds bench
    if not isinstance(source, PackageImages):
        raise click.ClickException("sources/textile.yaml names no package.")
    return locate(source)


if __name__ == "__main__":
    main()
