"""`headstart plots`: DVC's plots on a page that works offline."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click

from headstart.project.errors import HeadstartError
from headstart.project.work import kept

PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
{refresh_tag}
<title>headstart: plots</title>
<style>
body { font-family: system-ui, sans-serif; margin: 2em; }
body > div { margin-bottom: 3em; }
</style>
<script>SCRIPTS</script>
<script>
// DVC embeds an empty plot for each file without rows: leave it out.
var embed = vegaEmbed;
vegaEmbed = function (place, plot) {
  return "data" in plot ? embed(place, plot) : document.querySelector(place).remove();
};
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""
"""A template for `dvc plots`; SCRIPTS stands for the scripts that DVC's pages load from a server."""


@click.command()
@click.argument("revs", nargs=-1, metavar="[REV]...")
@click.option("--out", default="dvc_plots", show_default=True, help="Folder for the page.")
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
def plots(revs: tuple[str, ...], out: str, opened: bool) -> None:
    """Draw the curves, confusions and reliability of the workspace, or of REVs over each other.

    The page is the one of `dvc plots show` or `dvc plots diff`. Those load their scripts from a
    server; this page holds them, so it works offline.

    \b
    headstart plots                  the workspace
    headstart plots HEAD workspace   the last commit and the workspace
    """
    words = ["diff", *revs] if revs else ["show"]
    options = ["--html-template", str(page_template().resolve()), "--out", out]
    options += ["--open"] if opened else []
    command = [sys.executable, "-m", "dvc", "plots", *words, *options]
    if subprocess.run(command, check=False).returncode:
        raise HeadstartError("DVC could not draw the plots; its message is above.")


def page_template() -> Path:
    """A page for `dvc plots --html-template` that holds vega-embed and its dependencies."""
    import vl_convert

    def make(folder: Path) -> None:
        scripts = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # no snippet: everything
        scripts = scripts.replace("</script", "<\\/script")  # which would end the element
        (folder / "page.html").write_text(PAGE.replace("SCRIPTS", scripts), encoding="utf-8")

    return (
        kept("plots", {"page": PAGE, "vl_convert": version("vl-convert-python")}, make)
        / "page.html"
    )
