"""An objective whose mistakes fail the trial that trains with it, in one line that names the objective."""

from typing import Any

import torch

from readbench.api import Batch, Loss, Objective
from readbench.base.errors import ConfigError, TrialFailure
from readbench.base.plugins import foreign, make
from readbench.students.needs import asked_by, top_of


class GuardedObjective:
    """A plug-in's objective; TrialFailure where it raises, or does not give one differentiable loss."""

    def __init__(self, name: str, objective: Objective) -> None:
        self._name = name
        self._objective = objective
        self.needs, self.rollouts = asked_by(name, objective)
        self.top = top_of(objective)

    def loss(self, batch: Batch) -> Loss:
        """The objective's loss, checked."""
        with foreign("objective", self._name):
            loss = self._objective.loss(batch)
        fault = _fault(loss, len(batch.labels))
        if fault:
            raise TrialFailure(f"objective {self._name!r} gave {fault}")
        return loss


def _fault(loss: object, num_tokens: int) -> str:
    """What makes a loss unusable, or an empty text."""
    if not isinstance(loss, Loss) or not isinstance(loss.value, torch.Tensor) or not isinstance(loss.tokens, torch.Tensor):
        return f"{type(loss).__name__}, not a Loss of tensors"
    if loss.value.shape != ():
        return f"a loss of shape {tuple(loss.value.shape)}, not one number"
    if loss.tokens.shape != (num_tokens,):
        return f"shape {tuple(loss.tokens.shape)} for {num_tokens} label tokens, not one loss each"
    if not loss.value.requires_grad:
        return "a loss that does not depend on the student's logits"
    for name, values in loss.figures.items():
        if not isinstance(values, torch.Tensor) or values.shape != (num_tokens,):
            return f"a figure {name!r} that is not one number for each of {num_tokens} label tokens"
    return ""


def make_objective(name: str, **params: Any) -> GuardedObjective:
    """Builds an objective by its registered name; ConfigError where its factory raises, or it asks for what nobody serves."""
    with foreign("objective", name, ConfigError):
        made: Objective = make("objective", name, **params)
        return GuardedObjective(name, made)
