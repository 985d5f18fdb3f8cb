"""`sft`: supervised fine-tuning on the teacher's text (sequence-level distillation, Kim and Rush 2016, arXiv 1606.07947).

The cross-entropy of the teacher's token under the student, without smoothing. Importing this module imports no torch: listing plug-ins
does.
"""

from readbench.api import Batch, Loss, Objective, objective


class CrossEntropy:
    """−log p(label)."""

    needs = frozenset[str]()

    def loss(self, batch: Batch) -> Loss:
        """Nats a label token, summed over the batch and divided by the step's label tokens."""
        from torch.nn import functional

        tokens = functional.cross_entropy(batch.logits, batch.labels, reduction="none")
        return Loss(value=tokens.sum() / batch.normaliser, tokens=tokens.detach())


@objective("sft")
def sft() -> Objective:
    """Cross-entropy of the teacher's text."""
    return CrossEntropy()
