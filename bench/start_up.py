"""Measure the start-up of a stage: a process that starts, opens its run, and ends.

Measured by bench.compare.

`bare` is a script that imports torch, timm and mlflow and opens the store without headstart.
"""

import subprocess
import sys
import time
from pathlib import Path

# A stage's start, its imports, then its run; a stage with a network also imports what loads it.
STAGE = """
from headstart.tracking.start import start_stage
start_stage()
import importlib.util
from pathlib import Path
spec = importlib.util.spec_from_file_location("stage", "stages/{script}.py")
stage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stage)
{prepare}
with stage.live.stage_run("{script}", Path("{run}"), {{}}):
    pass
"""
PREPARED = 'stage.prepare(stage.load_section("runtime", stage.RuntimeParams))'
# torchvision, which timm imports, may come without its operators.
TIMM = (
    "from headstart.backbone import torchvision_ops\ntorchvision_ops.declare_missing()\nimport timm"
)
BARE = f"""
import mlflow
import torch
{TIMM}
mlflow.MlflowClient("sqlite:///{{store}}").search_experiments()
"""
KINDS = {
    "without torch (index-images)": ("index_images", ""),
    "with torch (train-head)": ("train_head", PREPARED),
    "with torch and timm (unfreeze-finetune)": ("unfreeze_finetune", f"{PREPARED}\n{TIMM}"),
}
BARE_NAME = "bare script: torch, timm, mlflow"


def start_up(root: Path, environment: dict[str, str]) -> dict[str, float]:
    """Seconds of each kind of stage, and of the bare script, in the project at `root`."""
    run = root / ".start_up.json"
    scripts = {
        name: STAGE.format(script=script, prepare=prepare, run=run)
        for name, (script, prepare) in KINDS.items()
    }
    scripts[BARE_NAME] = BARE.format(store=root / "mlflow.db")
    seconds = {}
    for name, script in scripts.items():
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=root, env=environment | {"PYTHONPATH": "src"}, check=True,
        )  # fmt: skip
        seconds[name] = time.perf_counter() - start
    return seconds
