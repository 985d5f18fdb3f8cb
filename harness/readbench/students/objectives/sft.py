"""`sft`, `filtered-sft` and `redi`: fine-tuning on the teacher's text (sequence-level distillation, Kim and Rush 2016, arXiv 1606.07947).

The cross-entropy of the teacher's token under the student, without smoothing. `filtered-sft` trains only on answers that the question's
verifier accepts (rejection sampling; Yuan et al. 2023, arXiv 2308.01825): a rejected one was generated, so it is charged, and is not
trained on. `redi` learns from it too, by moving away from it (Xu et al. 2025, arXiv 2505.24850). Importing this module imports no torch:
listing plug-ins does.
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


class Reinforced:
    """−log p(right)/|right| + weight · log p(wrong)/|wrong|; until `warmup` of the budget is spent, the wrong ones count nothing."""

    needs = frozenset({"rewards"})

    def __init__(self, weight: float, warmup: float) -> None:
        if not 0.0 <= weight <= 1.0:
            raise ValueError(f"weight must be from 0 to 1, got {weight}")
        if not 0.0 <= warmup <= 1.0:
            raise ValueError(f"warmup must be from 0 to 1, got {warmup}")
        self._weight, self._warmup = weight, warmup

    def loss(self, batch: Batch) -> Loss:
        """A mean over the step's sequences, of the mean over each sequence's tokens."""
        import torch
        from torch.nn import functional

        if batch.reward is None or not bool(torch.isfinite(batch.reward).all()):
            raise ValueError("the rewards are missing or not finite")
        tokens = functional.cross_entropy(batch.logits, batch.labels, reduction="none")
        away = 0.0 if batch.progress < self._warmup else -self._weight
        signs = torch.where(batch.reward >= 1.0, 1.0, away).to(tokens.dtype)
        lengths = batch.sequence.bincount(minlength=len(signs)).to(tokens.dtype)
        value = (tokens * (signs / lengths)[batch.sequence]).sum() / batch.sequences
        return Loss(value=value, tokens=tokens.detach())


@objective("redi")
def redi(*, weight: float = 0.8, warmup: float = 0.5) -> Objective:
    """Towards the teacher's right answers, and away from its wrong ones once `warmup` of the budget is spent."""
    return Reinforced(weight, warmup)
