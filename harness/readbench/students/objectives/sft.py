"""`sft` and `filtered-sft`: fine-tuning on the teacher's text (sequence-level distillation, Kim and Rush 2016, arXiv 1606.07947).

The cross-entropy of the teacher's token under the student, without smoothing. `filtered-sft` trains only on answers that the question's
verifier accepts (rejection sampling; Yuan et al. 2023, arXiv 2308.01825): a rejected one was generated, so it is charged, and is not
trained on. Importing this module imports no torch: listing plug-ins does.
"""

from readbench.api import Batch, Loss, Objective, objective


class CrossEntropy:
    """−log p(label)."""

    def __init__(self, needs: frozenset[str] = frozenset()) -> None:
        self.needs = needs

    def loss(self, batch: Batch) -> Loss:
        """Nats a label token, summed over the batch and divided by the step's label tokens."""
        return cross_entropy(batch)


def cross_entropy(batch: Batch) -> Loss:
    """−log p(label) of every token, over the step's label tokens."""
    from torch.nn import functional

    tokens = functional.cross_entropy(batch.logits, batch.labels, reduction="none")
    return Loss(value=tokens.sum() / batch.normaliser, tokens=tokens.detach())


@objective("sft")
def sft() -> Objective:
    """Cross-entropy of the teacher's text."""
    return CrossEntropy()


@objective("filtered-sft")
def filtered_sft() -> Objective:
    """Cross-entropy of those of the teacher's answers that verify; a rejected one is charged, and not trained on."""
    return CrossEntropy(frozenset({"right_answers"}))
