"""An objective of a plug-in that misbehaves fails its trial in one line that names it."""

from collections.abc import Callable

import pytest
import torch

from readbench.base.errors import ConfigError, TrialFailure
from readbench.students.guarded import GuardedObjective, make_objective

Losses = Callable[[torch.Tensor, torch.Tensor], object]


class Scripted:
    """Gives what a function makes of logits and labels."""

    def __init__(self, losses: Losses) -> None:
        self.token_losses = losses


def leave(*_: torch.Tensor) -> object:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (leave, "raised SystemExit: 3"),
        (lambda logits, _: logits.sum(), r"gave shape \(\) for 4 label tokens"),
        (lambda *_: 0.5, "gave float for 4 label tokens"),
        (lambda *_: torch.ones(4), "gave losses that do not depend on the student's logits"),
    ],
)
def test_it_is_named_with_what_it_did(losses: Losses, said: str) -> None:
    logits, labels = torch.zeros(4, 7, requires_grad=True), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(TrialFailure, match=f"^objective 'odd' {said}"):
        GuardedObjective("odd", Scripted(losses)).token_losses(logits, labels)  # type: ignore[arg-type]


def test_a_sound_one_passes_through_unchanged() -> None:
    logits, labels = torch.randn(4, 7, generator=torch.Generator().manual_seed(0)).requires_grad_(), torch.tensor([0, 3, 6, 1])
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert torch.equal(make_objective("sft").token_losses(logits, labels), expected)


def test_an_unknown_one_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"^unknown objective 'stf'"):
        make_objective("stf")
