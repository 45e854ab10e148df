"""The weights of a training that were best on the valid split, and when training should stop."""

from dataclasses import dataclass

from torch import Tensor, nn

from headstart.network.objective import Scores
from headstart.training.outcome import Epoch
from headstart.training.stop_rule import StopRule, WorseFirstCycle


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


@dataclass
class Standing:
    """What the next end of a cycle is compared with.

    Attributes:
        mark: the best of all; None before anything was judged.
        of_size: the best at this size.
        ended: scores of the best end of a cycle at this size.
        is_first: whether no cycle has ended that trained more than the head.
        worse_first_cycle: why the training should end after its first cycle; None: it need not.
    """

    mark: Mark | None = None
    of_size: Mark | None = None
    ended: Scores | None = None
    is_first: bool = True
    worse_first_cycle: WorseFirstCycle | None = None


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
        self.standing = Standing()
        self._model = model

    def begin(self, scores: Scores, epoch: int, phase: int | None) -> None:
        """Note the scores of the model before it trains at a size at which it was not judged yet.

        Args:
            scores: of the valid split at that size.
            epoch: the number of epochs so far.
            phase: the phase that begins; None is the starting point.
        """
        self.standing.of_size = self.standing.ended = None
        self._compare(scores, epoch, phase)

    def ends_phase(self, row: Epoch, of_head_alone: bool = False) -> bool:
        """Note the last epoch of a cycle; return whether the rule ends the phase after it.

        If it does, the model has the best weights of this size again. An epoch without scores ends
        nothing. A cycle of the head alone is not the first cycle that `worse_first_cycle` is about:
        it says nothing about training more than the head.
        """
        if row.scores is None:
            return False
        at = self.standing
        if at.is_first and not of_head_alone and at.of_size:
            at.is_first = False
            at.worse_first_cycle = self.rule.worse_first_cycle(row.scores, at.of_size.scores)
        self._compare(row.scores, row.epoch + 1, row.phase)
        over_fitted = at.ended is not None and self.rule.better(at.ended, row.scores)
        if at.ended is None or self.rule.better(row.scores, at.ended):
            at.ended = row.scores
        ends = at.worse_first_cycle is not None or (self.rule.stop and over_fitted)
        if ends and at.of_size:
            self._model.load_state_dict(at.of_size.state)
        return ends

    def _compare(self, scores: Scores, epoch: int, phase: int | None) -> None:
        """Keep the model's weights if it is better than before at this size, or than ever before."""
        at = self.standing
        if at.of_size and not self.rule.better(scores, at.of_size.scores):
            return
        at.of_size = Mark(scores, epoch, phase, copy_state(self._model))
        if at.mark is None or self.rule.better(scores, at.mark.scores):
            at.mark = at.of_size


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """The weights and statistics of a model as they are now."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
