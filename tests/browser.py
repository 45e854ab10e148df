"""A page in headless Chromium: what is wider than the window, and what it tried to load."""

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROBE = """<script>
const refused = [];
addEventListener("securitypolicyviolation", event => refused.push(event.blockedURI));
addEventListener("load", () => setTimeout(() => {
  const told = {
    inner: innerWidth,
    scroll: document.scrollingElement.scrollWidth,
    outside: [...document.querySelectorAll("main *")].filter(seen).map(e => e.outerHTML.slice(0, 160)),
    refused: refused,
    answer: ASK,
    asked: performance.getEntriesByType("resource").map(entry => entry.name),
  };
  parent.document.title = "TOLD" + btoa(unescape(encodeURIComponent(JSON.stringify(told)))) + "END";
}, 50));
// Whether an element reaches beyond the window, and no box around it scrolls or cuts it off.
function seen(element) {
  if (element.getBoundingClientRect().right <= innerWidth + 0.5) return false;
  for (let e = element.parentElement; e; e = e.parentElement)
    if (getComputedStyle(e).overflowX !== "visible") return false;
  return true;
}
</script>"""


def chromium() -> str:
    """The browser; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("No Chromium is installed, so no page is looked at.")


def looked_at(page: str, folder: Path, width: int, ask: str = "null") -> dict[str, Any]:
    """What a browser with a window `width` px wide found in the page.

    The window is a frame in a page of its own, as Chromium's own window is never below 500 px.

    Args:
        page: HTML with a title
        folder: for the page and the browser's own files
        width: px
        ask: an expression of JavaScript

    Returns:
        answer: the value of `ask`; inner and scroll: width of the window and of the content, in px;
        outside: elements that reach beyond the window; refused: addresses that the page's policy
        blocked; asked: all addresses that were asked for, blocked or not.
    """
    probed = page.replace("</title>", f"</title>{PROBE.replace('ASK', ask)}", 1)
    style = f"border: 0; width: {width}px; height: 900px"
    frame = f'<iframe style="{style}" srcdoc="{html.escape(probed)}"></iframe>'
    file = folder / f"page_{width}.html"
    file.write_text(f'<meta charset="utf-8"><title></title>{frame}', encoding="utf-8")
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'browser'}", "--window-size=1400,1000"]
    command += ["--virtual-time-budget=2000", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    [told] = re.findall(r"<title>TOLD(.*?)END</title>", done.stdout.decode("utf-8"))
    return dict(json.loads(base64.b64decode(told)))
