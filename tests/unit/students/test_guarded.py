"""An objective of a plug-in that misbehaves fails its trial in one line that names it."""

from collections.abc import Callable

import pytest
import torch

from readbench.api import Batch, Loss
from readbench.base.errors import ConfigError, TrialFailure
from readbench.students.guarded import GuardedObjective, make_objective

Losses = Callable[[Batch], object]


class Scripted:
    """Gives what a function makes of a batch."""

    needs = frozenset[str]()

    def __init__(self, losses: Losses) -> None:
        self.loss = losses


def leave(_: Batch) -> object:
    raise SystemExit(3)


def batch() -> Batch:
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels, sequence = torch.tensor([0, 3, 6, 1]), torch.tensor([0, 0, 1, 1])
    return Batch(logits=logits, labels=labels, sequence=sequence, normaliser=4.0, sequences=2.0, max_new_tokens=2, progress=0.0)


def loss_with(**figures: object) -> Losses:
    return lambda b: Loss(value=b.logits.sum(), tokens=b.logits[:, 0].detach(), figures=figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (leave, "raised SystemExit: 3"),
        (lambda _: 0.5, "gave float, not a Loss of tensors"),
        (lambda b: Loss(value=b.logits.sum(1), tokens=b.logits[:, 0].detach()), r"gave a loss of shape \(4,\), not one number"),
        (lambda b: Loss(value=b.logits.sum(), tokens=b.logits.detach()), r"gave shape \(4, 7\) for 4 label tokens"),
        (lambda _: Loss(value=torch.ones(()), tokens=torch.ones(4)), "gave a loss that does not depend on the student's logits"),
        (loss_with(share=0.5), "gave a figure 'share' that is not one number for each of 4 label tokens"),
        (loss_with(share=torch.ones(2)), "gave a figure 'share' that is not one number for each of 4 label tokens"),
    ],
)
def test_it_is_named_with_what_it_did(losses: Losses, said: str) -> None:
    with pytest.raises(TrialFailure, match=f"^objective 'odd' {said}"):
        GuardedObjective("odd", Scripted(losses)).loss(batch())  # type: ignore[arg-type]


def test_a_sound_one_passes_through_unchanged() -> None:
    given = batch()
    expected = torch.nn.functional.cross_entropy(given.logits, given.labels, reduction="none")
    found = make_objective("sft").loss(given)
    assert torch.equal(found.tokens, expected)
    assert torch.equal(found.value, expected.sum() / 4)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"oracle", "teacher_logits"}, "objective 'odd' needs oracle, which readbench does not serve"),
        ({"rollouts"}, "objective 'odd' needs rollouts, and does not say how they are made"),
    ],
)
def test_a_need_that_nobody_serves_is_refused(needs: set[str], said: str) -> None:
    wanting = Scripted(leave)
    wanting.needs = frozenset(needs)  # type: ignore[misc]
    with pytest.raises(ConfigError, match=said):
        GuardedObjective("odd", wanting)  # type: ignore[arg-type]


def test_an_unknown_one_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"^unknown objective 'stf'"):
        make_objective("stf")
