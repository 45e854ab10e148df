"""A small training on pictures, alone or in several processes: `python -m tests.training.together OUT`.

In the processes, the last one is killed KILLED_AT + 1 steps into the first training. All results of the
first process are written to OUT.
"""

from headstart.terminal.processes import start_processes

if __name__ == "__main__":
    start_processes()

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import inf
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbone.device import PLAIN_CPU
from headstart.network.objective import Objective
from headstart.project.report import Shown, Silent
from headstart.terminal.plain_command import PlainCommand
from headstart.training.activation_checkpointing import checkpoint_activations
from headstart.training.chosen import chosen_scores
from headstart.training.fit import Trainer
from headstart.training.kept_training import KeptTraining
from headstart.training.material import Material, Phase
from headstart.training.optimizer import OptimizerParams, ParameterGroup
from headstart.training.parts import Part, Split
from headstart.training.picture_source import PictureSource
from headstart.training.ranks import Ranks, joined_ranks
from headstart.training.resume import FROM_THE_START, Resume, SharedResume
from headstart.training.sampling import Sampler
from headstart.training.schedules import Step, sgdr
from headstart.training.stop_rule import StopRule
from headstart.views.augment import AugmentParams
from headstart.views.inference import id_batches, network_logits
from tests.broken_off import AStage
from tests.small_networks import small_network, small_pictures

T = TypeVar("T")

N, K, KILLED_AT = 30, 3, 5
VALID = [str(number) for number in range(50, 90)]  # more than a batch of a forward pass
CYCLES = [1, 3]  # 16 steps
AUGMENT = AugmentParams(
    symmetry="side_on", max_zoom=1.1, stretch=0.0, crop="random", shift_px=2, rotate_deg=5.0,
    brightness=0.05, contrast=0.05, blur_px=0.0, cutout_frac=0.0,
)  # fmt: skip


class Net(nn.Module):
    """Convolutions with batch norms that stay frozen, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(0.25), nn.Linear(16, K))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) in [0, 255] -> (N, K)."""
        maps = self.body(pictures.float() / 128 - 1)
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits

    def trains(self) -> None:
        self.train()
        self.body.eval()


@dataclass
class Killed(Silent):
    """A report that kills its process when step n has been made; inf: never."""

    n: float = inf

    def progress(
        self, items: Iterable[T], n: int, label: str, shown: Shown[T] | None = None
    ) -> Iterator[T]:
        for item in items:
            if self.n <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.n -= 1
            yield item


def trained(
    ranks: Ranks,
    name: str = "sgd",
    n_accumulate: int = 1,
    resume: Resume = FROM_THE_START,
    report: Killed | None = None,
) -> dict[str, Tensor]:
    """The weights at the end, losses of train and valid at each epoch, and what the choice is worth."""
    net, objective = Net(), Objective("single_label", torch.tensor([1.0, 2.0, 3.0]))
    pictures, targets = small_pictures(), np.arange(N) % K
    optimizer = OptimizerParams.model_validate(
        {"name": name, "momentum": 0.9, "weight_decay": 0.01, "clip_norm": 1.0, "batch_size": 9}
    )
    rows = partial(network_logits, net, pictures)
    batches = id_batches(VALID, pictures.device)
    material = Material(
        PictureSource(pictures, [str(number) for number in range(N)], targets, AUGMENT, seed=3),
        lambda: objective.scores(ranks.rows(rows, batches), np.arange(len(VALID)) % K),
    )
    phase = Phase(
        [ParameterGroup(list(net.parameters()), 0.1 if name == "sgd" else 0.003, 0.01)],
        net.trains, material, CYCLES,
        lambda n: [Step(factor) for factor in sgdr(CYCLES, n, 0.1)],
    )  # fmt: skip
    trainer = Trainer(
        net, Sampler(np.ones(N)), optimizer, objective, 5, report or Killed(),
        SharedResume(resume, ranks), Split(n_accumulate, ranks),
    )  # fmt: skip
    rule = StopRule("log_loss", stop=False, keep="best")
    result = trainer.fit([phase], rule)
    judged = [(epoch.train_loss, epoch.scores.log_loss) for epoch in result.epochs if epoch.scores]
    assert len(judged) == list(accumulate(CYCLES))[-1]
    values = chosen_scores(result, rule, VALID, "single_label").values()
    told = {"judged": judged, "choice": [*values]}
    return net.state_dict() | {
        name: torch.tensor(of, dtype=torch.float64) for name, of in told.items()
    }


def step(ranks: Ranks, checkpoints: bool) -> dict[str, Tensor]:
    """The gradients of a batch in two parts, with frozen norms, dropout, and blocks of timm's."""
    network = small_network().requires_grad_()
    network.backbone.eval()
    for layer in network.head.children():
        layer.train(isinstance(layer, nn.Dropout))
    if checkpoints:
        checkpoint_activations(network.backbone.model, network.backbone.architecture)
    torch.manual_seed(6)
    pictures, targets, split = torch.rand(N, 3, 32, 32) * 255, torch.arange(N) % K, Split(2, ranks)
    parts = (
        Part(pictures[p.first :][: p.n], targets[p.first :][: p.n], p) for p in split.places(N)
    )
    split.gradients(network, Objective("single_label"), parts)
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


@click.command(cls=PlainCommand)
@click.argument("out", type=click.Path(path_type=Path))
def main(out: Path) -> None:
    """Train in all ways."""
    with joined_ranks() as ranks:
        first_attempt = out.with_suffix(".attempt")
        is_last, is_first_attempt = ranks.number == ranks.n - 1, not first_attempt.exists()
        ranks.add_up([torch.zeros(1)])  # all have looked
        if is_last:
            first_attempt.touch()
        stage = AStage()
        kept = KeptTraining(stage, ("training",), (), PLAIN_CPU, inf, 0.0, ranks.n)
        report = Killed(KILLED_AT if is_last and is_first_attempt else inf)
        found = {
            "killed": trained(ranks, resume=kept, report=report),
            "sgd": trained(ranks),
            "adamw": trained(ranks, "adamw"),
            "parts": trained(ranks, n_accumulate=2),
            "step": step(ranks, checkpoints=False),
            "checkpointed": step(ranks, checkpoints=True),
        }
        of_first = ranks.from_first(lambda: found)
        for name, tensors in found.items():
            assert all(torch.equal(of_first[name][key], t) for key, t in tensors.items()), name
        if ranks.is_first:
            torch.save({"found": found, "said": stage.said}, out)
            print("the first says it")
        else:
            print("this is never seen")


if __name__ == "__main__":
    main()
