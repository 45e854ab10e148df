"""`headstart init`: look at pictures, then write a params.yaml for them."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from headstart.commands.choices import Choice, View, Wishes, choose
from headstart.project.params import PARAMS_FILE

if TYPE_CHECKING:
    from headstart.commands.survey import Look, Survey

RECIPE = Path("recipes/dogscats-lite0.yaml")  # for photographs; `choose` says what differs
DESCRIBED = (".yaml", ".yml")  # suffixes of files below sources/


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
@click.option("--quick", is_flag=True, help="a try on a few pictures, in some three minutes")
@click.option("--json", "as_json", is_flag=True, help="print what was found and chosen as JSON")
@click.option("--force", is_flag=True, help="replace a params.yaml that has edits of yours")
def init(pictures: Path, view: View, network: str, quick: bool, as_json: bool, force: bool) -> None:
    """Look at PICTURES and write a params.yaml that fits them; then `dvc repro` trains.

    PICTURES is a folder with a folder for each class, or with folders train and valid (or another
    usual name of them) that have these, or with Parquet files that hold the pictures; or a table of
    file names and labels, beside or above its pictures; or a file of sources/ that names a package.

    The command reads headers, not pixels, and prints what it found. Each value that it sets in
    params.yaml has its reason at the line. Edit what you know better.

    \b
    headstart init /home/me/pictures && dvc repro
    headstart init /home/me/pictures/labels.csv --view top_down
    headstart init /home/me/pictures --network resnet50.a1_in1k
    """
    from headstart.commands.label_source import findings_of

    _require_no_edits(force)
    root, table = _folder_and_table(pictures)
    looked = _look(root, may_be_parquet=not table and pictures.suffix not in DESCRIBED)
    found = findings_of(looked, str(pictures) if pictures.suffix == ".yaml" else str(root), table)
    wishes = Wishes(network, _network_px(network), view, quick)
    choices = choose(found, wishes)
    _write(choices, pictures)
    if as_json:
        click.echo(json.dumps(_as_json(looked, found.per_class, choices), indent=1))
        return
    from headstart.commands.survey_text import told

    click.echo(told(looked, found))
    click.echo(f"\n{PARAMS_FILE} is written, with the reason of each choice. Next: dvc repro")


def _look(root: Path, may_be_parquet: bool) -> "Survey":
    """What the folder holds, whether its pictures are files or are inside Parquet files.

    Args:
        root: the folder.
        may_be_parquet: whether the user named the folder, and not a table or a package.
    """
    from headstart.commands.parquet_survey import survey_parquet
    from headstart.commands.survey import survey
    from headstart.fetching.parquet_sources import find_parquet
    from headstart.terminal.bars import Bars

    def progress(looks: Iterable["Look | None"], n: int) -> Iterator["Look | None"]:
        return Bars().over(looks, n, "look")

    inside = find_parquet(root) if may_be_parquet else None
    return survey_parquet(inside, progress) if inside else survey(root, progress)


def _folder_and_table(pictures: Path) -> tuple[Path, str]:
    """The absolute folder of the pictures, and the path of the table of labels in it, or ''."""
    from headstart.fetching.image_sources import ArchiveImages, PackageImages, read_images_source
    from headstart.project.located import locate

    if pictures.suffix in DESCRIBED:
        source = read_images_source(str(pictures))
        if isinstance(source, ArchiveImages):
            raise click.ClickException(
                f"{pictures} names archives that are not unpacked yet: unpack them into a folder, "
                "and give that folder."
            )
        if isinstance(source, PackageImages):
            return locate(source), ""
    path = pictures.expanduser().resolve()
    if path.is_file():
        return path.parent, path.name
    if not path.is_dir():
        raise click.ClickException(f"{pictures} does not exist: give a folder of pictures.")
    return path, ""


def _require_no_edits(force: bool) -> None:
    """Refuse to replace a params.yaml that is neither in git, nor a recipe, nor `init`'s own."""
    from headstart.commands.params_text import is_sealed

    if not RECIPE.is_file():
        raise click.ClickException(
            f"{RECIPE} is not here: run the command in the folder that holds dvc.yaml and recipes/."
        )
    if force or not PARAMS_FILE.exists():
        return
    text = PARAMS_FILE.read_text(encoding="utf-8")
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
    return {
        "folder": str(looked.root),
        "n_pictures": len(looked.paths),
        "classes": dict(per_class),
        "splits": dict(looked.splits),
        "short_px": looked.short_px,
        "aspect": looked.aspect,
        "modes": dict(looked.modes),
        "unreadable": looked.unreadable,
        "copies": looked.copies,
        "other_files": dict(looked.others),
        "notes": looked.layout.notes(),
        "seconds": round(looked.seconds, 2),
        "params": [choice._asdict() for choice in choices],
    }
