"""The written parts of a run's report, as values; templates/facts.html shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headstart.evaluation.predictions import Predictions
from headstart.reporting.facts_data import DataFacts, data_facts
from headstart.reporting.facts_network import network_facts
from headstart.reporting.facts_recipe import RecipeFacts, recipe_facts
from headstart.reporting.facts_reproduce import ReproduceFacts, reproduce_facts
from headstart.reporting.facts_steps import StepsFacts, named_predictions, steps_facts

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What the stages told about a run, as their files hold it.

    Attributes:
        params: all sections of params.yaml.
        params_text: the text of params.yaml.
        recipes: name of each file in recipes/ -> its sections.
        index: metrics of index_images.
        weights: metrics of fetch_weights.
        scores: metrics of tta_evaluate.
        fine_tuning: metrics of unfreeze_finetune.
        about: what the final checkpoint says about itself.
        pictures: pictures.parquet.
        problems: problems.csv.
        predictions: tables of checkpoints in the recipe's order, the final one last.
        records: of the stages' runs.
    """

    params: Values
    params_text: str
    recipes: Mapping[str, Values]
    index: Values
    weights: Values
    scores: Values
    fine_tuning: Values
    about: Values
    pictures: pd.DataFrame
    problems: pd.DataFrame
    predictions: Sequence[Predictions]
    records: Sequence[Values]


@dataclass(frozen=True)
class Facts:
    """The written parts; `steps` is None where nothing is scored."""

    data: DataFacts
    network: Sequence[tuple[str, str]]
    recipe: RecipeFacts
    steps: StepsFacts | None
    reproduce: ReproduceFacts


def facts(told: Told) -> Facts:
    """All written parts of the report."""
    steps = None
    if told.scores.get("checkpoints") and any(s in told.scores for s in ("valid", "test")):
        named = named_predictions(told.scores, told.predictions)
        steps = steps_facts(told.scores, named, told.params, told.fine_tuning)
    return Facts(
        data=data_facts(told.index, told.pictures, told.problems, told.about),
        network=network_facts(told.params, told.weights["n_numbers"], told.about),
        recipe=recipe_facts(told.params, told.params_text, told.recipes),
        steps=steps,
        reproduce=reproduce_facts(told.records, told.params_text),
    )
