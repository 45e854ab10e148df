"""headstart: from a folder of pictures to a trained image classifier.

For Python there are `Classifier`, a trained network, and `Project`, the results of a run. Each is
loaded when it is first asked for, so `import headstart` alone loads nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.use.classifier import Classifier
    from headstart.use.results import Project

__all__ = ["Classifier", "Project"]


def __getattr__(name: str) -> object:
    """`Classifier` or `Project` (PEP 562)."""
    if name == "Classifier":
        from headstart.use.classifier import Classifier

        return Classifier
    if name == "Project":
        from headstart.use.results import Project

        return Project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
