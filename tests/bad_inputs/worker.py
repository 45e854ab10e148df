"""A process that gives inputs to a reader, one after the other, and says how each ended.

    python -m tests.bad_inputs.worker MODULE READER FIRST LAST FOLDER

One line an input goes to stdout: its number, and read, refused or a fault in words. The first line
says that the reader is loaded.
"""

import faulthandler
import importlib
import re
import shutil
import sys
import traceback
import warnings
from pathlib import Path

from headstart.project.errors import HeadstartError
from tests.bad_inputs.mutations import mutated
from tests.bad_inputs.readers import Reader, Seeds

MAX_BYTES = 1 << 30
MAX_LINE, MAX_LINES = 1500, 100  # characters of a sentence; sentences on one file


def outcome(name: str, reader: Reader, seeds: Seeds, number: int, folder: Path) -> str:
    """How the input with this number ends: read, refused, or a fault in words."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        reader.read(mutated(seeds, name, number), folder)
    except HeadstartError as error:
        ended = "refused"
        lines = str(error).splitlines()
        if not lines or len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE:
            ended = f"{len(lines)} sentences, {len(str(error))} characters: {str(error)[:200]!r}"
        elif "weights_only" in str(error):
            ended = f"the sentence advises to run code: {error!s}"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "/headstart/" in f.filename]
        place = (
            f"{ours[-1].filename.rpartition('/headstart/')[2]}:{ours[-1].lineno}" if ours else ""
        )
        ended = (
            f"{type(error).__name__}: {str(error)[:200]} ({place}, {where.filename}:{where.lineno})"
        )
    else:
        ended = "read"
    return ended


def peak_bytes() -> int:
    """The most memory that this process has had; getrusage would count that of its parent too."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def main() -> None:
    """Work through the inputs."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    module, name, first, last, folder = sys.argv[1:]
    reader: Reader = importlib.import_module(module).READERS[name]
    seeds = reader.seeds()
    out = sys.stdout
    sys.stdout = sys.stderr
    print("loaded", file=out, flush=True)
    for number in range(int(first), int(last)):
        ended = outcome(name, reader, seeds, number, Path(folder) / "input")
        n_bytes = peak_bytes()
        if n_bytes > MAX_BYTES:
            ended = f"over 1 GB: {n_bytes / 1e9:.2f} GB"
        print(number, " ".join(ended.split()), file=out, flush=True)
        if ended.startswith("over 1 GB"):
            return  # the high-water mark of this process stays


if __name__ == "__main__":
    main()
