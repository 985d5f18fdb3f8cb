"""Learning from the student's own samples: policy gradients on verified rewards, with the teacher beside them or inside the trust region.

S is the student, old the student that wrote the sample, T the teacher, all at the sampling temperature; A is the sample's advantage in
its group (`readbench.api.Batch.advantage`). Loss of a token:

| objective | loss | source |
|---|---|---|
| `grpo` | −min(ρ·A, clip(ρ, 1 − ε, 1 + ε)·A), ρ = S/old | DeepSeekMath, arXiv 2402.03300 |
| `kdrl` | the same + β·½(log S − log T)² | KDRL, arXiv 2506.02208 |
| `rlad` | as `grpo`, log ρ = α·log(S/old) + (1 − α)·clamp(log(S/T), −c, c) | RLAD, arXiv 2602.22495, Eq. 3-5 |
| `on-policy-kl` | ½(log S − log T)² | sampled reverse KL; Agarwal et al. 2023, arXiv 2306.13649 |

- ½(log S − log T)² has the gradient (log S − log T)·∇log S, whose mean over samples of S is that of KL(S‖T). (The estimator
  e^x − x − 1, x = log T − log S, is unbiased for that divergence too, but its gradient on samples of S is that of KL(T‖S).)
- `rlad` with α = 1 is `grpo`. At S = old its ratio is (S/T)^(1−α), so the clip acts from the first step on: where the student is already
  far surer than the teacher, a good sample teaches nothing more.
- `reference` adds reference·(e^x − x − 1), x = log(reference/S), to any of them: GRPO's own term, to the untrained student.
- The teacher's answers of a `warmup` are learned by cross-entropy.
- `normalise` says over what a step's mean is: `tokens` (all alike; DAPO), `sequences` (first within each; GRPO as published) or `constant`
  (the sequences times the longest that they may be; Dr. GRPO, arXiv 2503.20783).

The paper's α, ε, c and group size of RLAD could not be had: the defaults are ours. Importing this module imports no torch.
"""

import math
from typing import TYPE_CHECKING, Literal, get_args

from readbench.api import Batch, Loss, Objective, Rollouts, objective
from readbench.students.objectives.divergences import PIECE
from readbench.students.objectives.sft import cross_entropy

if TYPE_CHECKING:
    import torch

Normalise = Literal["tokens", "sequences", "constant"]


class OnSamples:
    """A loss of sampled tokens as an objective; the factories below make it."""

    def __init__(
        self,
        *,
        rollouts: Rollouts,
        rewarded: bool,
        clip: float = 0.2,
        alpha: float = 1.0,
        clamp: float = math.inf,
        teacher: float = 0.0,
        reference: float = 0.0,
        normalise: str = "tokens",
    ) -> None:
        """`teacher` and `reference` weigh the two divergences; with `alpha` below 1 the teacher is in the ratio."""
        if rewarded and rollouts.group_size < 2:
            raise ValueError(f"group_size must be at least 2, got {rollouts.group_size}: one answer has no advantage over others")
        _check("clip", clip, 0.0 < clip < 1.0, "between 0 and 1")
        _check("alpha", alpha, 0.0 <= alpha <= 1.0, "from 0 to 1")
        _check("clamp", clamp, clamp > 0.0, "positive")
        _check("the weight of the teacher", teacher, 0.0 <= teacher < math.inf, "0 or more")
        _check("the weight of the reference", reference, 0.0 <= reference < math.inf, "0 or more")
        if normalise not in get_args(Normalise):
            raise ValueError(f"normalise must be one of {', '.join(get_args(Normalise))}, got {normalise!r}")
        self.rollouts = rollouts
        self._clip, self._alpha, self._clamp, self._teacher, self._reference = clip, alpha, clamp, teacher, reference
        self._normalise = normalise
        self._rewarded = rewarded
        asked = {
            "rollouts": True,
            "rewards": rewarded,
            "teacher_logprob": alpha < 1.0 or teacher > 0.0,
            "reference_logprob": reference > 0.0,
        }
        self.needs = frozenset(need for need, wanted in asked.items() if wanted)

    def loss(self, batch: Batch) -> Loss:
        """The loss of every token, summed with the weights of `normalise`."""
        import torch

        from readbench.models.language_model import log_probabilities

        if batch.old_logprob is None:
            return cross_entropy(batch)  # the teacher's answers, of a warm-up
        student = log_probabilities(batch.logits, batch.labels, self.rollouts.temperature)  # (N,) of the samples
        tokens = torch.zeros_like(student)
        figures = {"entropy": _entropy(batch.logits.detach(), self.rollouts.temperature)}
        if self._rewarded:
            gained, figures["clipped_up"], figures["clipped_down"] = self._gained(batch, student)
            tokens = tokens - gained
        if "teacher_logprob" in self.needs:
            apart = student - _given("teacher_logprob", batch.teacher_logprob)
            figures["kl_to_teacher"] = apart.detach()
            tokens = tokens + self._teacher * apart.square() / 2
        if self._reference:
            apart = _given("reference_logprob", batch.reference_logprob) - student
            figures["kl_to_reference"] = -apart.detach()
            tokens = tokens + self._reference * (apart.exp() - apart - 1.0)
        return Loss(value=(tokens * self._weights(batch, student)).sum(), tokens=-student.detach(), figures=figures)

    def _gained(self, batch: Batch, student: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """(N,) the clipped surrogate; and whether a token of a good sample, and of a bad one, was clipped (NaN for the others)."""
        import torch

        log_ratio = self._alpha * (student - _given("old_logprob", batch.old_logprob))
        if self._alpha < 1.0:
            teacher = _given("teacher_logprob", batch.teacher_logprob)
            log_ratio = log_ratio + (1.0 - self._alpha) * (student - teacher).clamp(-self._clamp, self._clamp)
        ratio, advantage = log_ratio.exp(), _given("advantage", batch.advantage)[batch.sequence].to(student.dtype)
        gained = torch.minimum(ratio * advantage, ratio.clamp(1.0 - self._clip, 1.0 + self._clip) * advantage)
        none = torch.full_like(student.detach(), math.nan)
        up = torch.where(advantage > 0, (ratio > 1.0 + self._clip).to(student.dtype), none)
        down = torch.where(advantage < 0, (ratio < 1.0 - self._clip).to(student.dtype), none)
        return gained, up, down

    def _weights(self, batch: Batch, student: "torch.Tensor") -> "torch.Tensor | float":
        """What each token's loss counts: the weights of a step's tokens are those of its mean."""
        if self._normalise == "tokens":
            return 1.0 / batch.normaliser
        if self._normalise == "constant":
            return 1.0 / (batch.sequences * batch.max_new_tokens)
        lengths = batch.sequence.bincount().to(student.dtype)
        return 1.0 / (lengths[batch.sequence] * batch.sequences)


def _given(name: str, values: "torch.Tensor | None") -> "torch.Tensor":
    """The values; ValueError where they are missing or one is not finite: a clamp would make a sound number of it."""
    import torch

    if values is None:
        raise ValueError(f"{name} is missing")
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{name} is not finite")
    return values


def _entropy(logits: "torch.Tensor", temperature: float) -> "torch.Tensor":
    """(N,) nats, in pieces."""
    import torch

    pieces = []
    for piece in torch.split(logits, max(1, PIECE // logits.shape[1])):
        log_p = (piece / temperature).log_softmax(1)
        pieces.append(-(log_p.exp() * log_p).nansum(1))  # 0·log 0 = 0
    return torch.cat(pieces)


@objective("grpo")
def grpo(
    *,
    clip: float = 0.2,
    reference: float = 0.0,
    normalise: str = "tokens",
    group_size: int = 8,
    temperature: float = 1.0,
    top_p: float = 1.0,
    round_tokens: int = 1024,
    warmup: float = 0.0,
    sampler: str = "local",
    token_budget: int = 0,
    hint: float = 0.0,
) -> Objective:
    """Policy gradient on verified rewards, each relative to the other answers to its prompt."""
    rollouts = Rollouts(
        group_size=group_size,
        temperature=temperature,
        top_p=top_p,
        round_tokens=round_tokens,
        warmup=warmup,
        sampler=sampler,
        token_budget=token_budget,
        hint=hint,
    )
    return OnSamples(rollouts=rollouts, rewarded=True, clip=clip, reference=reference, normalise=normalise)


@objective("kdrl")
def kdrl(
    *,
    beta: float = 0.1,
    clip: float = 0.2,
    reference: float = 0.0,
    normalise: str = "tokens",
    group_size: int = 8,
    temperature: float = 1.0,
    top_p: float = 1.0,
    round_tokens: int = 1024,
    warmup: float = 0.0,
    sampler: str = "local",
    token_budget: int = 0,
    hint: float = 0.0,
) -> Objective:
    """`grpo` and β times the reverse KL to the teacher, side by side."""
    _check("beta", beta, 0.0 < beta < math.inf, "positive; at 0 it is grpo")
    rollouts = Rollouts(
        group_size=group_size,
        temperature=temperature,
        top_p=top_p,
        round_tokens=round_tokens,
        warmup=warmup,
        sampler=sampler,
        token_budget=token_budget,
        hint=hint,
    )
    return OnSamples(rollouts=rollouts, rewarded=True, clip=clip, teacher=beta, reference=reference, normalise=normalise)


@objective("rlad")
def rlad(
    *,
    alpha: float = 0.5,
    clip: float = 0.2,
    clamp: float = 5.0,
    reference: float = 0.0,
    normalise: str = "tokens",
    group_size: int = 8,
    temperature: float = 1.0,
    top_p: float = 1.0,
    round_tokens: int = 1024,
    warmup: float = 0.0,
    sampler: str = "local",
    token_budget: int = 0,
    hint: float = 0.0,
) -> Objective:
    """Policy gradient whose trust region lies around a mixture of the student's last policy and the teacher."""
    rollouts = Rollouts(
        group_size=group_size,
        temperature=temperature,
        top_p=top_p,
        round_tokens=round_tokens,
        warmup=warmup,
        sampler=sampler,
        token_budget=token_budget,
        hint=hint,
    )
    return OnSamples(rollouts=rollouts, rewarded=True, clip=clip, alpha=alpha, clamp=clamp, reference=reference, normalise=normalise)


@objective("on-policy-kl")
def on_policy_kl(
    *,
    normalise: str = "tokens",
    group_size: int = 1,
    temperature: float = 1.0,
    top_p: float = 1.0,
    round_tokens: int = 1024,
    warmup: float = 0.0,
    sampler: str = "local",
) -> Objective:
    """Reverse KL to the teacher, estimated on the student's own samples from the probability of one token each."""
    rollouts = Rollouts(
        group_size=group_size, temperature=temperature, top_p=top_p, round_tokens=round_tokens, warmup=warmup, sampler=sampler
    )
    return OnSamples(rollouts=rollouts, rewarded=False, teacher=1.0, normalise=normalise)


def _check(name: str, value: float, valid: bool, allowed: str) -> None:
    if not valid:
        raise ValueError(f"{name} must be {allowed}, got {value}")
