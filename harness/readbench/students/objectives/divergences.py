"""Divergences between teacher and student over the whole vocabulary, at every token of the teacher's text, or of the student's own.

S and T are the next-token distributions of student and teacher, both at the same temperature (no factor T² afterwards). In nats a token:

| objective | divergence | source |
|---|---|---|
| `forward-kl` | KL(T‖S) | Hinton et al. 2015, arXiv 1503.02531 |
| `reverse-kl` | KL(S‖T) | MiniLLM, arXiv 2306.08543 |
| `jsd` | β·KL(T‖M) + (1 − β)·KL(S‖M), M = (1 − β)·S + β·T | GKD, arXiv 2306.13649 |
| `skew-kl` | KL(T‖a·T + (1 − a)·S) | DistiLLM, arXiv 2402.03898 |
| `skew-reverse-kl` | KL(S‖(1 − a)·T + a·S) | likewise |
| `top-k` | forward or reverse KL of the teacher's k most probable tokens and one bucket for the rest | a lower bound of the full one |
| `tail-aware` | −log S(label) + KL1 + β·(a/mean a)·KL2 | TAD, arXiv 2602.20816 |

In `tail-aware` a is the teacher's mass outside its k most probable tokens, KL1 the forward KL of `top-k` and KL2 that of the rest alone, as
distributions of their own: KL1 + a·KL2 is the forward KL. The mean of a is over the sequence's tokens here, so that a step does not depend
on how it is cut.

`own_share` of an interval's tokens go to answers that the student wrote itself, sampled at temperature 1 (GKD's λ; at 1 all of them).
JSD's scale vanishes with β and with 1 − β: JSD_β/β tends to the forward KL for β → 0, and `jsd` is refused there; take `forward-kl` or
`reverse-kl` themselves. The identity JSD_β = β·SKL_β + (1 − β)·SRKL_{1−β} holds. They need the teacher's logits at the student's tokens:
a local teacher with the student's vocabulary, whose forward pass is charged as *scored* tokens. Long batches are cut into pieces that are
computed again in the backward pass, so that no second (N, V) is held. Importing this module imports no torch: listing plug-ins does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from readbench.api import Batch, Loss, Objective, Rollouts, objective

if TYPE_CHECKING:
    import torch

    Divergence = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]  # log S, log T (n, V) → (n,) nats

PIECE = 1 << 24  # numbers of a vocabulary-wide tensor that are held at a time


class FullDivergence:
    """A divergence as an objective; the factories below make it."""

    need = "teacher_logits"  # what it reads of the teacher

    def __init__(self, divergence: "Divergence", temperature: float, own_share: float) -> None:
        """`own_share` of the tokens go to answers that the student wrote itself."""
        _within("own_share", own_share, 0.0, 1.0)
        self.rollouts = Rollouts(share=own_share) if own_share else None
        self.needs = frozenset({self.need, "rollouts"} if own_share else {self.need})
        self.temperature = _within("temperature", temperature, 0.01, 100.0)
        self._divergence = divergence

    def loss(self, batch: Batch) -> Loss:
        """The divergence of every token, summed over the batch and divided by the step's label tokens."""
        tokens = self._compared(batch)
        return Loss(value=tokens.sum() / batch.normaliser, tokens=tokens.detach())

    def _compared(self, batch: Batch) -> "torch.Tensor":
        """(N, …) what the divergence makes of each token."""
        import torch
        from torch.utils.checkpoint import checkpoint

        read = (batch.logits, *self._teacher(batch))
        rows = max(1, PIECE // batch.logits.shape[1])
        if len(batch.logits) <= rows:
            return self._piece(*read)
        pieces = zip(*(torch.split(each, rows) for each in read), strict=True)
        return torch.cat([checkpoint(self._piece, *piece, use_reentrant=False) for piece in pieces])

    def _teacher(self, batch: Batch) -> "tuple[torch.Tensor, ...]":
        """What a batch carries of the teacher, (N, …) each."""
        if batch.teacher_logits is None:
            raise ValueError("the teacher's logits are missing")
        return (batch.teacher_logits,)

    def _piece(self, student: "torch.Tensor", *teacher: "torch.Tensor") -> "torch.Tensor":
        """(n, …) of some of the rows."""
        (logits,) = teacher
        shared = min(student.shape[1], logits.shape[1])  # one vocabulary, whose table may be padded
        log_s, log_t = ((each[:, :shared].to(student.dtype) / self.temperature).log_softmax(1) for each in (student, logits))
        return self._divergence(log_s, log_t)


class TopDivergence(FullDivergence):
    """The divergence of the teacher's k most probable tokens and one bucket for the rest: an endpoint can say them too."""

    need = "teacher_top"

    def __init__(self, k: int, temperature: float, own_share: float, *, reverse: bool) -> None:
        super().__init__(kl if reverse else lambda log_s, log_t: kl(log_t, log_s), temperature, own_share)
        self.top = int(_within("k", k, 1, 1_000_000))

    def _teacher(self, batch: Batch) -> "tuple[torch.Tensor, ...]":
        if batch.teacher_top is None or batch.teacher_top_logprob is None:
            raise ValueError("the teacher's most probable tokens are missing")
        largest, rows = int(batch.teacher_top.max()), batch.logits.shape[1]
        if largest >= rows:  # an unused row of a longer table
            raise ValueError(f"the teacher holds token {largest} probable, which the student's table of {rows} rows does not have")
        return batch.teacher_top, batch.teacher_top_logprob

    def _piece(self, student: "torch.Tensor", *teacher: "torch.Tensor") -> "torch.Tensor":
        top, log_t = teacher
        log_s = head_of((student / self.temperature).log_softmax(1), top)
        return self._divergence(log_s, log_t.to(log_s.dtype))


class TailAware(FullDivergence):
    """Cross-entropy, the divergence of the teacher's head, and that of its tail with a weight of its own."""

    def __init__(self, k: int, beta: float, temperature: float) -> None:
        super().__init__(lambda log_s, log_t: head_and_tail(log_s, log_t, k), temperature, 0.0)
        self._beta = _within("beta", beta, 0.0, 1000.0)

    def loss(self, batch: Batch) -> Loss:
        """Summed over the batch and divided by the step's label tokens."""
        import torch
        from torch.nn import functional

        head, tail, mass = self._compared(batch).unbind(1)
        lengths = batch.sequence.bincount().to(mass.dtype)
        means = torch.zeros_like(lengths).index_add_(0, batch.sequence, mass) / lengths
        share = torch.where(means > 0, 1.0 / means, 0.0)[batch.sequence] * mass  # a teacher that is sure has no tail to learn
        tokens = functional.cross_entropy(batch.logits, batch.labels, reduction="none") + head + self._beta * share * tail
        return Loss(value=tokens.sum() / batch.normaliser, tokens=tokens.detach())


def kl(log_p: "torch.Tensor", log_q: "torch.Tensor") -> "torch.Tensor":
    """(n,) KL(P‖Q) of log-probabilities (n, V); what P holds impossible adds nothing."""
    p = log_p.exp()
    return (p * (log_p - log_q).where(p > 0, 0.0)).sum(1)


def mixture(log_p: "torch.Tensor", log_q: "torch.Tensor", share: float) -> "torch.Tensor":
    """log(share·P + (1 − share)·Q)."""
    import math

    import torch

    return torch.logaddexp(log_p + math.log(share), log_q + math.log(1.0 - share))


def jensen_shannon(log_s: "torch.Tensor", log_t: "torch.Tensor", beta: float) -> "torch.Tensor":
    """(n,) β·KL(T‖M) + (1 − β)·KL(S‖M)."""
    middle = mixture(log_t, log_s, beta)
    return beta * kl(log_t, middle) + (1.0 - beta) * kl(log_s, middle)


def bucketed(log_s: "torch.Tensor", log_t: "torch.Tensor", k: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """Both as (n, k + 1): the k tokens that the teacher holds most probable, and one bucket for the rest."""
    top = log_t.topk(min(k, log_t.shape[1] - 1), dim=1).indices
    return head_of(log_s, top), head_of(log_t, top)


def head_of(log_p: "torch.Tensor", top: "torch.Tensor") -> "torch.Tensor":
    """(n, k + 1) the log-probabilities of the tokens `top` (n, k), and the logarithm of the mass of the rest."""
    import torch

    rest = log_p.scatter(1, top, float("-inf")).logsumexp(1, keepdim=True)
    return torch.cat([log_p.gather(1, top), rest], dim=1)


def head_and_tail(log_s: "torch.Tensor", log_t: "torch.Tensor", k: int) -> "torch.Tensor":
    """(n, 3) forward KL of the teacher's k most probable tokens and one bucket; that of the rest alone; the teacher's mass of the rest.

    The first + mass · the second is the forward KL.
    """
    import torch

    k = min(k, log_t.shape[1] - 1)
    head_s, head_t = bucketed(log_s, log_t, k)
    outside = torch.ones_like(log_t, dtype=torch.bool).scatter(1, log_t.topk(k, dim=1).indices, value=False)
    empty = (head_t[:, -1] == float("-inf"))[:, None]  # no tail: any distribution will do, the same for both
    tails = (torch.where(empty, 0.0, log_p.masked_fill(~outside, float("-inf"))) for log_p in (log_s, log_t))
    tail_s, tail_t = (each.log_softmax(1) for each in tails)
    apart = torch.where(outside & (tail_t > float("-inf")), tail_t - tail_s, 0.0)
    return torch.stack([kl(head_t, head_s), (tail_t.exp() * apart).sum(1), head_t[:, -1].exp()], dim=1)


@objective("forward-kl")
def forward_kl(*, temperature: float = 1.0, own_share: float = 0.0) -> Objective:
    """KL(teacher‖student): the student covers all that the teacher holds possible."""
    return FullDivergence(lambda log_s, log_t: kl(log_t, log_s), temperature, own_share)


@objective("reverse-kl")
def reverse_kl(*, temperature: float = 1.0, own_share: float = 0.0) -> Objective:
    """KL(student‖teacher): the student gives up what the teacher holds impossible."""
    return FullDivergence(kl, temperature, own_share)


@objective("jsd")
def jsd(*, beta: float = 0.5, temperature: float = 1.0, own_share: float = 0.0) -> Objective:
    """Generalised Jensen-Shannon divergence (GKD), between forward KL (β near 0) and reverse KL (β near 1)."""
    _within("beta", beta, 0.001, 0.999)
    return FullDivergence(lambda log_s, log_t: jensen_shannon(log_s, log_t, beta), temperature, own_share)


@objective("skew-kl")
def skew_kl(*, skew: float = 0.1, temperature: float = 1.0, own_share: float = 0.0) -> Objective:
    """KL of the teacher to a mix of teacher (a share `skew`) and student (DistiLLM)."""
    _within("skew", skew, 0.001, 0.999)
    return FullDivergence(lambda log_s, log_t: kl(log_t, mixture(log_t, log_s, skew)), temperature, own_share)


@objective("skew-reverse-kl")
def skew_reverse_kl(*, skew: float = 0.1, temperature: float = 1.0, own_share: float = 0.0) -> Objective:
    """KL of the student to a mix of student (a share `skew`) and teacher (DistiLLM)."""
    _within("skew", skew, 0.001, 0.999)
    return FullDivergence(lambda log_s, log_t: kl(log_s, mixture(log_s, log_t, skew)), temperature, own_share)


@objective("top-k")
def top_k(*, k: int = 16, reverse: bool = False, temperature: float = 1.0, own_share: float = 0.0) -> Objective:
    """Forward (or reverse) KL of the teacher's k most probable tokens and the rest as one."""
    return TopDivergence(k, temperature, own_share, reverse=reverse)


@objective("tail-aware")
def tail_aware(*, k: int = 10, beta: float = 2.0, temperature: float = 1.0) -> Objective:
    """Cross-entropy and forward KL, in which what the teacher holds improbable weighs β times its share (TAD)."""
    _within("k", k, 1, 1_000_000)
    return TailAware(k, beta, temperature)


def _within(name: str, value: float, least: float, most: float) -> float:
    """The value; ValueError unless least <= value <= most (so also for NaN)."""
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}, got {value}")
    return value
