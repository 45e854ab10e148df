"""The weights of a training that were best on the valid split, and when training should stop."""

from dataclasses import dataclass

from torch import Tensor, nn

from headstart.network.objective import Scores
from headstart.training.outcome import Point
from headstart.training.stop_rule import StopRule, WorseFirstCycle


@dataclass(frozen=True)
class Mark:
    """The weights at one point of the training."""

    point: Point
    state: dict[str, Tensor]


@dataclass
class Standing:
    """What the next end of a cycle is compared with.

    Attributes:
        mark: the best of all; None before anything was judged.
        of_size: the best at this size.
        ended: scores of the best end of a cycle at this size; of the head alone only until more trains.
        is_first: whether no cycle has ended that trained more than the head.
        stopped: whether the last point ended its phase.
        worse_first_cycle: why the training should end after its first cycle; None: it need not.
    """

    mark: Mark | None = None
    of_size: Mark | None = None
    ended: Scores | None = None
    is_first: bool = True
    stopped: bool = False
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

    def judge(self, point: Point) -> bool:
        """Note a point of the training; return whether the rule ends the phase there.

        If it does, the model has the best weights of this size again. A cycle of the head alone says
        nothing about training more than the head. It is not the first cycle that `worse_first_cycle`
        is about, and no later cycle that trains more is compared with it: like a starting point, a
        converged head may be a little better than the first short cycle at a high rate.
        """
        at, scores = self.standing, point.scores
        if not point.ends_cycle:
            at.of_size, at.ended, at.stopped = None, None, False
            self._compare(point)
            return False
        if at.is_first and not point.of_head_alone and at.of_size:
            at.is_first, at.ended = False, None
            before = at.of_size.point.scores
            at.worse_first_cycle = self.rule.worse_first_cycle(scores, before)
        self._compare(point)
        over_fitted = at.ended is not None and self.rule.better(at.ended, scores)
        if at.ended is None or self.rule.better(scores, at.ended):
            at.ended = scores
        at.stopped = at.worse_first_cycle is not None or (self.rule.stop and over_fitted)
        if at.stopped and at.of_size:
            self._model.load_state_dict(at.of_size.state)
        return at.stopped

    @property
    def kept(self) -> Mark | None:
        """What the rule keeps if the training ends here; None: the weights of the last point."""
        at = self.standing
        if self.rule.keep == "best" or at.worse_first_cycle:
            return at.mark
        return at.of_size if at.stopped else None

    def _compare(self, point: Point) -> None:
        """Keep the model's weights if it is better than before at this size, or than ever before."""
        at = self.standing
        if at.of_size and not self.rule.better(point.scores, at.of_size.point.scores):
            return
        at.of_size = Mark(point, copy_state(self._model))
        if at.mark is None or self.rule.better(point.scores, at.mark.point.scores):
            at.mark = at.of_size


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """The weights and statistics of a model as they are now."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
