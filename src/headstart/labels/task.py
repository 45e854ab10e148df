"""The kind of labels that pictures have: declared in index_images.task, never guessed."""

from typing import Literal

Task = Literal["single_label", "multi_label"]
"""single_label: exactly one label a picture; multi_label: any number, none included."""

SCORE: dict[Task, str] = {"single_label": "accuracy", "multi_label": "F2"}
"""The score on the valid split while a network trains."""
