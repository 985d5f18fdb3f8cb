"""An objective whose mistakes fail the trial that trains with it, in one line that names the objective."""

from typing import Any

import torch

from readbench.api import Objective
from readbench.base.errors import ConfigError, TrialFailure
from readbench.base.plugins import foreign, make


class GuardedObjective:
    """A plug-in's objective; TrialFailure where it raises or does not give one differentiable loss a label token."""

    def __init__(self, name: str, objective: Objective) -> None:
        self._name = name
        self._objective = objective

    def token_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The objective's losses (N,), checked."""
        with foreign("objective", self._name):
            losses = self._objective.token_losses(logits, labels)
        if not isinstance(losses, torch.Tensor) or losses.shape != labels.shape:
            given = f"shape {tuple(losses.shape)}" if isinstance(losses, torch.Tensor) else type(losses).__name__
            raise TrialFailure(f"objective {self._name!r} gave {given} for {len(labels)} label tokens, not one loss each")
        if not losses.requires_grad:
            raise TrialFailure(f"objective {self._name!r} gave losses that do not depend on the student's logits")
        return losses


def make_objective(name: str, **params: Any) -> Objective:
    """Builds an objective by its registered name; ConfigError where its factory raises."""
    with foreign("objective", name, ConfigError):
        made: Objective = make("objective", name, **params)
    return GuardedObjective(name, made)
