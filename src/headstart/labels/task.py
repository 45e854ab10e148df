"""What the labels of a picture are: declared in index_images.task, never guessed."""

from typing import Literal

Task = Literal["single_label", "multi_label"]
"""single_label: exactly one label a picture; multi_label: any number, none included."""

SCORE: dict[Task, str] = {"single_label": "accuracy", "multi_label": "F2"}
"""What the valid split is scored by while a network trains."""
