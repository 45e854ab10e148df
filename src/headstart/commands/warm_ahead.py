"""Begin the warm processes (`headstart.warm`) before `dvc repro` needs them."""

import os
import subprocess
import sys

from headstart.tracking.mlflow_settings import quiet
from headstart.tracking.start import INHERITED
from headstart.tracking.teller import RUN


def begin_warm_processes() -> None:
    """Begin to import the libraries of the stages and of MLflow, in the background.

    Their first stages would else do so one after the other: it takes 5 s, about as long as a user
    needs to read what `headstart init` says. Where no process may be kept, nothing happens.
    """
    # as DVC gives them to a stage, and a stage to the process that tells MLflow
    for kind, variables in (("stage", INHERITED), ("teller", quiet(os.environ))):
        command = [sys.executable, "-SE", RUN, "--ahead", kind]
        subprocess.run(command, env=variables, stderr=subprocess.DEVNULL, check=False)
