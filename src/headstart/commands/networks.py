"""`headstart check-gradients`: which precision may train a network."""

from pathlib import Path

import click

from headstart.checks.whole_file import load_section

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("pictures", type=FILE, nargs=-1, required=True)
def check_gradients(checkpoint: Path, pictures: tuple[Path, ...]) -> None:
    """Compare the gradients that each precision gives on PICTURES with those of float64.

    A cosine below 0.99 means that the precision trains on wrong gradients; a stage refuses it.
    The batch norms are set as in section optimizer_finetune of params.yaml.

    \b
    headstart check-gradients data/4_checkpoints/finetuned.safetensors photo*.jpg
    """
    import torch

    from headstart.backbone.device import RuntimeParams, prepare
    from headstart.commands.predict import unreadable
    from headstart.network.objective import Objective
    from headstart.network.restored import restored
    from headstart.training.gradients import MIN_COSINE, gradient_cosine
    from headstart.training.phases import FinetuneOptimizerParams, set_mode
    from headstart.use.picture_files import PictureFiles
    from headstart.use.saved_networks import read_networks
    from headstart.views.pictures import Pictures

    optimizer = load_section("optimizer_finetune", FinetuneOptimizerParams)
    machine = prepare(RuntimeParams(precision="fp32", deterministic=True))
    content = read_networks(checkpoint)
    info, files = content.info, PictureFiles(pictures, content.info.preprocessing)
    shown = Pictures.of(files, info.size_px, info.frame, machine.device)
    batch = next(shown.plain([files.ids]))
    if files.problems:
        told = [
            unreadable(click.format_filename(path), files.problems[number])
            for number, path in zip(files.ids, pictures, strict=True)
            if number in files.problems
        ]
        raise click.ClickException("\n".join(told))
    network = restored(content, checkpoint, machine)[0]
    # any targets will do: how exact a gradient is does not depend on them
    targets = torch.arange(len(batch), device=batch.device) % len(info.classes)
    if info.task == "multi_label":
        targets = torch.nn.functional.one_hot(targets, len(info.classes))
    for name in ("auto", "fp32", "bf16"):
        cosine = gradient_cosine(
            network,
            lambda copy: set_mode(copy, 0, optimizer),
            (batch, targets),
            Objective(info.task).loss,
            prepare(RuntimeParams(precision=name, deterministic=True)),
        )
        verdict = "may train" if cosine >= MIN_COSINE else "must not train"
        click.echo(f"{name}: cosine {cosine:.4f}, {verdict} (bn_freeze: {optimizer.bn_freeze})")
