"""`headstart demo`: a local page that classifies a picture that is dropped on it."""

import tempfile
import webbrowser
from pathlib import Path

import click


@click.command()
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0: any"
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("corrections"),
    show_default=True,
    help="the folder for pictures whose label you correct",
)
@click.option("--no-browser", is_flag=True, help="open no browser")
def demo(model: Path, port: int, keep: Path, no_browser: bool) -> None:
    """Open a page where you drop a picture and see what the network in MODEL says of it.

    The page shows the likeliest classes, where the network looked, and the most similar pictures of
    train. The last needs the project in which MODEL was trained: run the command in its folder. If the
    network is wrong, tell it: the picture then goes into the folder of --keep, in a form that
    `headstart init` can train on. The page is only for this machine, and sends nothing anywhere.

    \b
    headstart demo data/4_checkpoints/model.safetensors
    headstart demo model.safetensors --port 8000 --keep wrong_ones
    """
    from headstart.backbone.device import RuntimeParams, prepare
    from headstart.demo.corrections import Corrections
    from headstart.demo.server import HOST, Demo, application, served
    from headstart.demo.similar import TrainPictures
    from headstart.project.errors import HeadstartError
    from headstart.use.classifier import Classifier
    from headstart.use.results import Project

    machine = prepare(RuntimeParams(precision="auto", deterministic=True))
    classifier = Classifier.on(model, machine)
    for sentence in classifier.differences:
        click.echo(sentence, err=True)
    train, without = None, ""
    try:
        train = TrainPictures.of(Project("."), classifier.info, machine)
    except (HeadstartError, OSError) as error:
        without = f"None are shown: {error}"
        click.echo(f"No similar pictures are shown: {error}", err=True)
    info = classifier.info
    with tempfile.TemporaryDirectory(prefix="headstart-demo-") as uploads:
        corrections = Corrections(keep, info.classes, info.task)
        app = application(Demo(classifier, train, corrections, Path(uploads), without))
        server = served(app, port)
        address = f"http://{HOST}:{server.port}"
        click.echo(f"{address}  (Ctrl-C ends it)")
        if not no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("")
        finally:
            server.server_close()
