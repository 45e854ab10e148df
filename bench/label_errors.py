"""Plant wrong labels in real pictures, and count which of them `audit-labels` finds.

Run: python -m bench.label_errors --dogscats FOLDER --dogbreeds FOLDER --planet FOLDER

The activations of textile are those of the project in the current folder, or in --project; its backbone
computes those of the folders. 5 and 10 % of the pictures get a wrong label, drawn at random: another
class, or of several labels one in place of another. Confident learning gets the same logits. It counts
a picture as wrong whose probability of another class is at least the mean that this class has on its
own pictures (Northcutt, Jiang and Chuang, JAIR 70, 2021, section 3.1); it was not tried on several
labels. `as given` has no planted error: look at what is flagged there.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bench.compare import machine
from bench.label_errors_table import label_errors_table
from bench.tables import RESULTS, write_result
from bench.zero_sets import labels_in
from headstart.activations.stored import Activations, read_activations
from headstart.auditing.folds import deal
from headstart.auditing.out_of_fold import components, out_of_fold_logits
from headstart.backbone.backbone import Backbone, load_backbone
from headstart.backbone.device import RuntimeParams, prepare
from headstart.backbone.frame import Frame
from headstart.labels.labels import Labels, read_labels
from headstart.labels.task import Task
from headstart.pictures.rgb import decode_rgb
from headstart.project.workers import in_order
from headstart.steps.audit_labels import AuditLabelsParams, audit_labels
from headstart.views.draws import PLAIN
from headstart.views.inference import forward_passes, id_batches
from headstart.views.pictures import cropped

PARAMS = AuditLabelsParams(n_folds=5, confidence=0.5, seed=0)
FRACS = (0.05, 0.1)
ACTIVATIONS, LABELS = "data/3_activations/plain", "data/1_index/labels.parquet"
WEIGHTS = "data/0_source/backbone.safetensors"


def embedded(folder: Path, several: bool, backbone: Backbone, size_px: int) -> tuple[Any, Labels]:
    """Activations of the plain view of a folder's labelled pictures, and their labels."""
    named = labels_in(folder, several)
    ids = sorted(named)

    def crop(path: str) -> NDArray[np.uint8]:
        picture = decode_rgb((folder / path).read_bytes(), size_px)
        return cropped(picture, size_px, Frame("center", 1.0), PLAIN)

    def batches() -> Iterator[torch.Tensor]:
        crops = in_order(crop, ids)
        for batch in id_batches(ids, backbone.compute.device):
            pixels = np.stack([next(crops) for _ in batch])
            yield torch.from_numpy(pixels).to(backbone.compute.device).permute(0, 3, 1, 2)

    features = np.concatenate(list(forward_passes(backbone, batches())))[None]
    table = pd.DataFrame({"id": ids, "group": ids, "split": "train"})
    table["labels"] = [list(named[path]) for path in ids]
    classes = tuple(sorted({name for names in named.values() for name in names}))
    task: Task = "multi_label" if several else "single_label"
    return Activations(features, ids, None), Labels(table, classes, task)  # type: ignore[arg-type]


def with_errors(labels: Labels, n: int, seed: int) -> tuple[Labels, set[str]]:
    """The same labels, `n` of them wrong, and the ids of these pictures."""
    generator, classes = np.random.default_rng(seed), labels.classes
    table = labels.table.copy()
    known = np.flatnonzero(table["labels"].notna() & (table["labels"].map(len, "ignore") > 0))
    changed = list(table["labels"])
    flipped = generator.choice(known, n, replace=False)
    for row in flipped:
        others = [name for name in classes if name not in changed[row]]
        place = generator.integers(len(changed[row]))
        names = [name for at, name in enumerate(changed[row]) if at != place]
        changed[row] = sorted([*names, str(generator.choice(others))])
    table["labels"] = pd.Series(changed, index=table.index, dtype=object)
    return Labels(table, classes, labels.task), set(table["id"].iloc[flipped])


def confident(cached: Activations, labels: Labels) -> set[str]:
    """The ids that confident learning takes for wrong, of one label a picture."""
    ids = labels.table["id"].tolist()
    given, k = labels.targets(ids), len(labels.classes)
    folds = deal(given.tolist(), ids, PARAMS.n_folds, PARAMS.seed)
    points = components(cached.of(ids)[0])
    logits = out_of_fold_logits(points, torch.from_numpy(given), folds, k, labels.task)
    p = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    means = np.array([p[given == c, c].mean() if (given == c).any() else np.inf for c in range(k)])
    above = np.where(p >= means, p, -1.0)
    wrong = (above.max(axis=1) >= 0) & (above.argmax(axis=1) != given)
    return {picture for picture, is_wrong in zip(ids, wrong, strict=True) if is_wrong}


def counted(cached: Activations, labels: Labels, flipped: set[str]) -> dict[str, Any]:
    """What is found of the errors `flipped`."""
    ids = labels.table["id"].tolist()
    audit = audit_labels(cached, labels, dict(zip(ids, ids, strict=True)), PARAMS)
    flagged = set(audit.table["id"][audit.table["flagged"]])
    found = {
        "n_planted": len(flipped),
        "n_first": len(flipped & set(audit.table["id"].head(len(flipped)))),
        "n_flagged": len(flagged),
        "n_flagged_right": len(flagged & flipped),
        "share": round(audit.metrics["share_wrong"], 4),
    }
    if labels.task == "single_label":
        others = confident(cached, labels)
        found |= {"n_confident": len(others), "n_confident_right": len(others & flipped)}
    return found


def measured(
    name: str, cached: Activations, labels: Labels, seeds: Sequence[int]
) -> Iterator[Mapping[str, Any]]:
    """A row for each fraction and seed, the labels as they are given first."""
    about = {"set": name, "n": len(labels.table), "n_classes": len(labels.classes)}
    yield {**about, "frac": 0.0, "seed": 0, **counted(cached, labels, set())}
    for frac in FRACS:
        for seed in seeds:
            planted = with_errors(labels, round(frac * len(labels.table)), seed)
            yield {**about, "frac": frac, "seed": seed, **counted(cached, *planted)}


FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(help=__doc__)
@click.option("--project", type=FOLDER, default=Path(), help="whose stages have run")
@click.option("--dogscats", type=FOLDER, help="class folders of photographs")
@click.option("--dogbreeds", type=FOLDER, help="labels.csv beside train/")
@click.option("--planet", type=FOLDER, help="labels.csv of several labels beside train/")
@click.option("--size-px", default=128, show_default=True, help="input, of the three folders")
@click.option("--n-seeds", default=3, show_default=True, help="draws of the wrong labels")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, hidden=True)
def main(
    project: Path, dogscats: Path | None, dogbreeds: Path | None, planet: Path | None,
    size_px: int, n_seeds: int, results: Path,
) -> None:  # fmt: skip
    runtime = RuntimeParams(precision="auto", deterministic=True)
    backbone = load_backbone(project / WEIGHTS).on(prepare(runtime))
    rows: list[Mapping[str, Any]] = []
    folders = {"dogscats": dogscats, "dogbreeds": dogbreeds, "planet": planet}
    options = "".join(f" --{name} FOLDER" for name, folder in folders.items() if folder)
    found: dict[str, Any] = {
        "name": "label_errors", "when": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "command": f"python -m bench.label_errors{options}", "size_px": size_px,
        "label_errors": rows,
    }  # fmt: skip
    for name, folder in {"textile": project, **folders}.items():
        if folder is None:
            continue
        if folder == project:
            cached = read_activations(project / ACTIVATIONS).first()
            labels = read_labels(project / LABELS)
        else:
            cached, labels = embedded(folder, name == "planet", backbone, size_px)
        for row in measured(name, cached, labels, range(n_seeds)):
            rows.append(row)
            click.echo(row, err=True)
            write_result(results, found)
    click.echo(label_errors_table(found))


if __name__ == "__main__":
    main()
