"""Run fastai 2 as its documentation advises, on the data of `bench.compare`, and print JSON.

Run by bench.compare, in one process per run: python -m bench.peer_fastai recipe --pictures FOLDER …

It uses presizing (the book's chapter 5: a larger `Resize` per picture, then `aug_transforms` per
batch), `vision_learner` on timm's body, rates by `lr_find`'s valley, `fit_sgdr` and `tta`. The
weights come from the file that fetch-weights wrote, so fastai downloads nothing.
"""

import json
import time
import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from headstart.backbone import torchvision_ops

warnings.filterwarnings("ignore")

LR = 0.003  # of the head, without a range test
PRESIZE = 1.15  # the book has 2 (460 px for 224 px); pictures stored here are hardly larger
LR_FIND_ITER = 100  # lr_find's default
# What an expert tells aug_transforms about the pictures, by the view that `headstart init` is told.
AUGMENT: dict[str, dict[str, Any]] = {
    "photo": {},
    "top_down": {"flip_vert": True, "max_warp": 0.0, "max_zoom": 1.05},  # the course's, of Planet
    "texture": {"do_flip": False, "max_warp": 0.0, "max_rotate": 0.0, "max_zoom": 1.0},
}


def learner(
    pictures: Path, weights: Path, size_px: int, batch: int, n_workers: int, last: bool, aug: bool,
    table: pd.DataFrame | None = None, several: bool = False, view: str = "photo",
) -> Any:  # fmt: skip
    """A frozen vision_learner with the weights of the file `weights`.

    Args:
        pictures: folder of train and valid.
        weights: file of the backbone.
        size_px: input side.
        batch: pictures a step.
        n_workers: processes that read pictures.
        last: whether to compute in channels_last.
        aug: whether to augment.
        table: file, labels and is_valid of each picture; without it, folders give them.
        several: whether a picture of the table has several labels, separated by spaces.
        view: a key of AUGMENT.
    """
    from fastai.callback.channelslast import ChannelsLast
    from fastai.vision import all as fv

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tensors = load_file(weights)
    stats = ([0.5] * 3, [0.5] * 3)
    # fastai has no half turn of its own: a texture with a direction allows no other symmetry
    more = [fv.Rotate(p=0.5, draw=180.0, size=size_px)] if view == "texture" else None
    batch_tfms = fv.aug_transforms(size=size_px, xtra_tfms=more, **AUGMENT[view]) if aug else []
    how = {
        "bs": batch, "num_workers": n_workers, "device": device,
        "item_tfms": fv.Resize(round(PRESIZE * size_px) if aug else size_px),
        "batch_tfms": [*batch_tfms, fv.Normalize.from_stats(*stats, cuda=device.type == "cuda")],
    }  # fmt: skip
    if table is None:
        data = fv.ImageDataLoaders.from_folder(pictures, train="train", valid="valid", **how)
    else:
        delim = " " if several else None
        data = fv.ImageDataLoaders.from_df(
            table, pictures, fn_col="file", label_col="labels", label_delim=delim,
            valid_col="is_valid", **how,
        )  # fmt: skip
    made = fv.vision_learner(
        data, "tf_efficientnet_lite0", pretrained=False, normalize=False,
        metrics=None if several else fv.accuracy,
        cbs=[ChannelsLast()] if last else None, path=pictures, model_dir=pictures / "models",
    )  # fmt: skip
    body = made.model[0].model
    missing, unexpected = body.load_state_dict(tensors, strict=False)
    if unexpected or any(not name.startswith("classifier") for name in missing):
        raise click.ClickException(f"the weights do not fit fastai's body: {missing} {unexpected}")
    made.freeze()
    return made


def quiet(made: Any) -> Any:
    """The learner without progress bars."""
    made.remove_cb(next(cb for cb in made.cbs if type(cb).__name__ == "ProgressCallback"))
    return made


def suggested(made: Any, n_iter: int) -> float:
    """The valley of fastai's range test, or fastai's default rate if the losses have no valley."""
    try:
        return float(made.lr_find(num_it=n_iter, show_plot=False).valley)
    except IndexError:  # raised by fastai's search for the valley if there are few losses
        return float(made.lr)


class Clock:
    """Measures the seconds of each part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = now - self._since
        self._since = now


def recipe(setting: dict[str, Any], seed: int) -> dict[str, Any]:
    from fastai.vision import all as fv

    clock = Clock()
    fv.set_seed(seed, reproducible=True)
    n_iter = setting["n_iter"]
    plain = quiet(learner(**setting["learner"], aug=False))
    lr = suggested(plain, n_iter)
    clock.lap("head: range test")
    plain.fit(setting["head_epochs"], lr)
    clock.lap("head")
    plain.dls = learner(**setting["learner"], aug=True).dls
    plain.fit_one_cycle(setting["augmented_epochs"], lr)
    clock.lap("augmented")
    plain.unfreeze()
    lr = suggested(plain, n_iter)
    clock.lap("finetune: range test")
    plain.fit_sgdr(setting["cycles"], 1, lr_max=slice(lr / 10, lr), cycle_mult=2)
    clock.lap("finetune")
    accuracy = float(plain.validate()[1])
    probabilities, targets = plain.tta()
    clock.lap("TTA")
    found = float((probabilities.argmax(1) == targets).float().mean())
    return {"seconds": clock.seconds, "accuracy": accuracy, "tta": found}


def fine_tuned(setting: dict[str, Any], seed: int) -> dict[str, Any]:
    """lr_find, fine_tune, TTA; writes the probabilities of valid and test to setting["out"]."""
    from fastai.vision import all as fv

    clock = Clock()
    fv.set_seed(seed, reproducible=True)
    table = pd.read_csv(setting["table"], dtype=str)
    table["is_valid"] = table["split"] == "valid"
    known = table[table["split"] != "test"].reset_index(drop=True)
    about = {"several": setting["several"], "view": setting["view"]}
    made = quiet(learner(**setting["learner"], aug=True, table=known, **about))
    lr = suggested(made, LR_FIND_ITER)
    clock.lap("range test")
    made.fine_tune(setting["epochs"], lr)
    clock.lap("finetune")
    scored = table[table["split"] != "train"].reset_index(drop=True)
    files = made.dls.test_dl(scored)
    plain, _ = made.get_preds(dl=files)
    clock.lap("plain")
    tta, _ = made.tta(dl=files)
    clock.lap("TTA")
    np.savez(
        setting["out"], plain=plain.numpy(), tta=tta.numpy(), classes=list(made.dls.vocab),
        files=scored["file"].tolist(),
    )  # fmt: skip
    return {"seconds": clock.seconds, "lr": lr}


def head_again(setting: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the head's plain and augmented epochs, at given rates."""
    quiet(learner(**setting["learner"], aug=False)).fit(1, LR)  # warms up
    plain = quiet(learner(**setting["learner"], aug=False))
    start = time.perf_counter()
    plain.fit(setting["head_epochs"], LR)
    plain.dls = learner(**setting["learner"], aug=True).dls
    plain.fit_one_cycle(setting["augmented_epochs"], LR)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "accuracy": float(plain.recorder.values[-1][-1])}


def epoch(setting: dict[str, Any], what: str) -> dict[str, Any]:
    """Seconds of the second of two epochs of all layers or of the head; the first warms up."""
    made = quiet(learner(**setting["learner"], aug=True))
    if what == "all":
        made.unfreeze()
    made.fit(1, 1e-4)
    start = time.perf_counter()
    made.fit(1, 1e-4)
    return {"seconds": time.perf_counter() - start, "accuracy": float(made.recorder.values[-1][-1])}


@click.command(help=__doc__)
@click.argument("what", type=click.Choice(["recipe", "head", "frozen", "all", "fine_tune"]))
@click.option("--setting", required=True, help="JSON")
@click.option("--seed", default=0)
def main(what: str, setting: str, seed: int) -> None:
    torchvision_ops.declare_missing()  # before fastai is imported
    made = json.loads(setting)
    for key in ("pictures", "weights"):
        made["learner"][key] = Path(made["learner"][key])
    if threads := made.pop("threads"):
        torch.set_num_threads(threads)
    match what:
        case "recipe":
            result = recipe(made, seed)
        case "head":
            result = head_again(made)
        case "fine_tune":
            result = fine_tuned(made, seed)
        case _:
            result = epoch(made, what)
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()
