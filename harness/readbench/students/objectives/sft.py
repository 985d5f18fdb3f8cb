"""Training objectives: the loss of one label token, in nats.

`sft` is supervised fine-tuning on the teacher's text (sequence-level distillation, Kim and Rush 2016, arXiv 1606.07947):
the cross-entropy of the teacher's token under the student. Importing this module imports no torch: listing plug-ins does.
"""

from typing import TYPE_CHECKING

from readbench.api import Objective, objective

if TYPE_CHECKING:
    import torch


class CrossEntropy:
    """−log p(label), without smoothing."""

    def token_losses(self, logits: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        """Logits (N, V) and labels (N,) int64 → (N,) nats."""
        from torch.nn import functional

        return functional.cross_entropy(logits, labels, reduction="none")


@objective("sft")
def sft() -> Objective:
    """Cross-entropy of the teacher's text."""
    return CrossEntropy()
