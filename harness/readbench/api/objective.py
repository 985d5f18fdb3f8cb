"""What an objective needs, sees and returns: the loss of an optimiser step's label tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

# What an objective may ask for beside the student's logits and the labels: the teacher's logits at the same positions; only answers of the
# teacher that the question's verifier accepts.
NEEDS = frozenset({"teacher_logits", "right_answers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """N label tokens of S sequences, in row order; V entries in the vocabulary. What the objective does not need is None."""

    logits: "torch.Tensor"  # (N, V) of the student at the positions that predict the labels, with gradient
    labels: "torch.Tensor"  # (N,) int64
    sequence: "torch.Tensor"  # (N,) int64, which of the S sequences a token belongs to
    normaliser: float  # label tokens of the whole optimiser step, over all its batches: a loss is a sum over tokens divided by it
    teacher_logits: "torch.Tensor | None" = None  # (N, V) of the teacher at the same positions, without gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What an objective makes of a batch."""

    value: "torch.Tensor"  # () to call backward on: Σ over tokens / normaliser
    tokens: "torch.Tensor"  # (N,) nats, for the record


class Objective(Protocol):
    """The training loss. It never decides which capability is trained: that is the allocator's."""

    needs: frozenset[str]  # of NEEDS

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch. The batches of one optimiser step add up to the gradient of the step, however it was cut."""
