"""`headstart init`: look at pictures, then write a params.yaml for them."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from headstart.commands.choices import Choice, View, Wishes, choose
from headstart.indexing.layout import ClassFolder
from headstart.project.params import PARAMS_FILE

if TYPE_CHECKING:
    from headstart.commands.survey import Survey

RECIPE = Path("recipes/dogscats-lite0.yaml")  # for photographs; `choose` says what differs


@click.command()
@click.argument("pictures", type=click.Path(path_type=Path))
@click.option(
    "--view",
    type=click.Choice(get_args(View)),
    default="photo",
    show_default=True,
    help="what the pictures show; it decides how they are augmented",
)
@click.option(
    "--network", default="", help="a timm model; default: the packaged EfficientNet-Lite0"
)
@click.option(
    "--class-folder",
    type=click.Choice(get_args(ClassFolder)),
    help="of folders in folders, which are the classes: the first, from PICTURES down (below train), "
    "or the last, which hold the pictures; needed only where their names do not tell",
)
@click.option("--quick", is_flag=True, help="a try on a few pictures, in about two minutes")
@click.option("--json", "as_json", is_flag=True, help="print what was found and chosen as JSON")
@click.option("--force", is_flag=True, help="replace a params.yaml that has edits of yours")
def init(
    pictures: Path, view: View, network: str, class_folder: ClassFolder | None, quick: bool,
    as_json: bool, force: bool,
) -> None:  # fmt: skip
    """Look at PICTURES and write a params.yaml that fits them; then `dvc repro` trains.

    PICTURES is a folder with a folder for each class, or with folders train and valid (or another
    usual name of them) that have these, or with Parquet files or WebDataset shards that hold the
    pictures; or an archive (.zip, .tar, .tgz) of such a folder; or a table of file names and labels,
    beside or above its pictures; or a file of sources/ that names a package, or pictures in a store
    (s3, gs, hf, http), which are fetched.

    The command reads all headers, decodes up to 20,000 pictures small, and prints what it found, such
    as files that break off and pictures that look alike. Each value that it sets in params.yaml has
    its reason at the line. Edit what you know better.

    \b
    headstart init /home/me/pictures && dvc repro
    headstart init /home/me/pictures/labels.csv --view top_down
    headstart init /home/me/pictures --network resnet50.a1_in1k
    """
    from headstart.commands.cache_links import use_reflinks
    from headstart.commands.named_source import look_into, named_source
    from headstart.commands.warm_ahead import begin_warm_processes

    _require_no_edits(force)
    begin_warm_processes()
    looked, found = look_into(named_source(pictures), class_folder)
    wishes = Wishes(network, _packaged_weights(network), _network_px(network), view, quick)
    choices = choose(found, wishes)
    _write(choices, pictures)
    cloned = use_reflinks()
    if as_json:
        click.echo(json.dumps(_as_json(looked, found.per_class, choices), indent=1))
        return
    from headstart.commands.survey_text import told

    click.echo(told(looked, found))
    if cloned:
        click.echo(
            "\nThis disk can clone files, so DVC clones results into its cache: each lies there once, "
            "and you may write into data/. The setting is in .dvc/config.local."
        )
    click.echo(f"\n{PARAMS_FILE} is written, with the reason of each choice. Next: dvc repro")


def _require_no_edits(force: bool) -> None:
    """Refuse to replace a params.yaml that is neither in git, nor a recipe, nor `init`'s own."""
    from headstart.commands.params_text import is_sealed

    if not RECIPE.is_file():
        raise click.ClickException(
            f"{RECIPE} is not here: run the command in the folder that holds dvc.yaml and recipes/."
        )
    if force or not PARAMS_FILE.exists():
        return
    try:
        text = PARAMS_FILE.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise click.ClickException(
            f"{PARAMS_FILE} is no UTF-8 text: move it away, or add --force to replace it."
        ) from None
    known = any(text == recipe.read_text("utf-8") for recipe in RECIPE.parent.glob("*.yaml"))
    if not (known or is_sealed(text) or _is_as_committed()):
        raise click.ClickException(
            f"{PARAMS_FILE} has edits that no commit holds: commit them, or add --force to replace "
            "them."
        )


def _is_as_committed() -> bool:
    command = ["git", "status", "--porcelain", "--ignored", "--", str(PARAMS_FILE)]
    done = subprocess.run(command, capture_output=True)
    return done.returncode == 0 and not done.stdout


def _packaged_weights(name: str) -> str:
    """The file of sources/ whose package has weights of that network; '' if there is none."""
    if not name:
        return ""
    from headstart.fetching.weights_sources import (
        PackageWeights,
        read_weights_source,
        same_architecture,
    )
    from headstart.project.located import SourceError

    for path in sorted(Path("sources").glob("*.yaml")):
        try:
            source = read_weights_source(str(path))
        except SourceError:  # it describes pictures
            continue
        if isinstance(source, PackageWeights) and same_architecture(source.architecture, name):
            return str(path)
    return ""


def _network_px(name: str) -> int:
    """The input side that timm states for a network, px.

    Raises:
        UnsuitableBackboneError: timm does not know the name; the message suggests similar ones.
    """
    if not name:
        return 224
    from headstart.backbone.timm_models import own_px  # here, because timm takes seconds

    return own_px(name)


def _write(choices: list[Choice], pictures: Path) -> None:
    """Write params.yaml, after it has been checked as a whole.

    Raises:
        ClickException: the checks refuse it; an earlier params.yaml stays.
    """
    from headstart.checks.whole_file import check_file
    from headstart.commands.params_text import with_choices
    from headstart.project.beside import written_beside

    header = [
        f"Written by `headstart init {pictures}`. The comment behind a value that it chose says why.",
        f"All other values are those of {RECIPE}. `headstart init` replaces this file only",
        "while nobody has edited it.",
    ]
    text = with_choices(RECIPE.read_text(encoding="utf-8"), choices, header)
    with written_beside(PARAMS_FILE) as partial:
        partial.write_text(text, encoding="utf-8")
        if errors := check_file(partial).errors:
            listed = "\n".join(error.replace(str(partial), str(PARAMS_FILE)) for error in errors)
            raise click.ClickException(f"The params for these pictures would not run:\n{listed}")


def _as_json(
    looked: "Survey", per_class: Mapping[str, int], choices: list[Choice]
) -> dict[str, Any]:
    pairs = looked.pixels.alike
    return {
        "folder": str(looked.origin),
        "n_pictures": len(looked.paths),
        "classes": dict(per_class),
        "splits": dict(looked.splits),
        "not_in_train": {f"{split}/{name}": n for (split, name), n in looked.unlike_train.items()},
        "short_px": looked.short_px,
        "aspect": looked.aspect,
        "modes": dict(looked.modes),
        "unreadable": looked.unreadable,
        "copies": looked.copies,
        "n_decoded": looked.pixels.n_decoded,
        "n_grey": looked.pixels.n_grey,
        "look_alike": pairs and [pair._asdict() for pair in pairs],  # null: not judged
        "other_files": dict(looked.others),
        "notes": looked.layout.notes(),
        "seconds": round(looked.seconds, 2),
        "params": [choice._asdict() for choice in choices],
    }
