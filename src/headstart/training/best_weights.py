"""The weights of a training that were best on the valid split, and when training should stop."""

from dataclasses import dataclass

from torch import Tensor, nn

from headstart.network.objective import Scores
from headstart.training.outcome import Epoch, StopRule


@dataclass(frozen=True)
class Mark:
    """The model at one point of the training: its scores and its weights.

    Attributes:
        scores: of the valid split.
        epoch: the number of epochs behind the weights.
        phase: the phase that the weights come from; None is the starting point.
        state: the weights.
    """

    scores: Scores
    epoch: int
    phase: int | None
    state: dict[str, Tensor]


class BestWeights:
    """Follows a training from one end of a cycle to the next.

    "Worse" compares scores of the same size; a tie is not worse. The best weights are chosen among
    the ends of cycles, the starting point, and the weights that a phase of another size begins with.
    Each is judged at its own size. Of equals the earliest is best, since it had the fewest epochs to
    over-fit.
    """

    def __init__(self, model: nn.Module, rule: StopRule) -> None:
        """`rule` says what is worse, and what then happens to `model`."""
        self.rule = rule
        self.mark: Mark | None = None
        """The best of all; None before anything was judged."""
        self._model = model
        self._of_size: Mark | None = None
        self._ended: Scores | None = None  # scores of the best end of a cycle at this size

    def begin(self, scores: Scores, epoch: int, phase: int | None) -> None:
        """Note the scores of the model before it trains at a size at which it was not judged yet.

        Args:
            scores: of the valid split at that size.
            epoch: the number of epochs so far.
            phase: the phase that begins; None is the starting point.
        """
        self._of_size = self._ended = None
        self._compare(scores, epoch, phase)

    def ends_phase(self, row: Epoch) -> bool:
        """Note the last epoch of a cycle; return whether the rule ends the phase after it.

        If it does, the model has the best weights of this size again. An epoch without scores ends
        nothing.
        """
        if row.scores is None:
            return False
        self._compare(row.scores, row.epoch + 1, row.phase)
        badness = self.rule.badness
        if self._ended is None or badness(row.scores) <= badness(self._ended):
            self._ended = row.scores
            return False
        if self.rule.stop and self._of_size:
            self._model.load_state_dict(self._of_size.state)
        return self.rule.stop

    def _compare(self, scores: Scores, epoch: int, phase: int | None) -> None:
        """Keep the model's weights if it is better than before at this size, or than ever before."""
        if not self._better(scores, self._of_size):
            return
        self._of_size = Mark(scores, epoch, phase, copy_state(self._model))
        if self._better(scores, self.mark):
            self.mark = self._of_size

    def _better(self, scores: Scores, mark: Mark | None) -> bool:
        return mark is None or self.rule.badness(scores) < self.rule.badness(mark.scores)


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """The weights and statistics of a model as they are now."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
