"""The sections of params.yaml by name, and a function that reads all of them."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.project.params import ParamsError, parse_section
from headstart.project.section import Section

ELSEWHERE = {
    "dataset": "headstart.image_files.tree.DatasetParams",
    "backbone": "headstart.backbone.backbone.BackboneParams",
    "head": "headstart.network.head.HeadParams",
    "augment": "headstart.views.augment.AugmentParams",
    "sampling": "headstart.training.sampling.SamplingParams",
    "optimizer_head": "headstart.training.optimizer.OptimizerParams",
    "optimizer_finetune": "headstart.training.phases.FinetuneOptimizerParams",
    "runtime": "headstart.backbone.device.RuntimeParams",
    "index_images": "headstart.indexing.params.IndexImagesParams",
}
OWN = (
    *("resize", "precompute_views"),
    *("find_lr_head", "train_head", "train_augmented", "find_lr_finetune", "unfreeze_finetune"),
    *("audit_labels", "predict_views", "tta_evaluate", "confusion_report", "write_submission"),
)
SECTIONS = ELSEWHERE | {
    name: f"headstart.steps.{name}.{name.title().replace('_', '')}Params" for name in OWN
}


def model_of(name: str) -> type[Section]:
    """The model of a section.

    It is imported by name: a stage checks the sections of all other stages, but must not depend on
    their code, which cannot change the outputs of the stage.
    """
    module, _, model = SECTIONS[name].rpartition(".")
    found: type[Section] = getattr(importlib.import_module(module), model)
    return found


def read_sections(values: Mapping[str, Any], path: Path) -> tuple[dict[str, Section], list[str]]:
    """All sections of `values` that are valid on their own, and a sentence for each problem.

    Args:
        values: the content of the file.
        path: of the file, for the sentences.
    """
    known = ", ".join(SECTIONS)
    problems = [
        f"{path}: {name} is not a section (known: {known})."
        for name in values
        if name not in SECTIONS
    ]
    sections: dict[str, Section] = {}
    for name in SECTIONS:
        try:
            sections[name] = parse_section(name, model_of(name), values, path)
        except ParamsError as error:
            problems += str(error).splitlines()
    return sections, problems
