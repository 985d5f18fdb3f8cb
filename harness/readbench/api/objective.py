"""What an objective needs, sees and returns: the loss of an optimiser step's label tokens."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

# What an objective may ask for beside the student's logits and the labels.
NEEDS = frozenset(
    {
        "right_answers",  # only answers of the teacher that the question's verifier accepts
        "rollouts",  # sequences that the student wrote itself
        "rewards",  # the verifier's score of each sequence
        "teacher_logits",  # of a teacher with the student's vocabulary, at every position
        "teacher_top",  # likewise, of its most probable tokens there, as many as the objective's `top`, and of all the rest together
        "teacher_logprob",  # likewise, of the labels of rollouts alone
        "reference_logprob",  # of the untrained student, likewise
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """How the sequences of an objective that needs rollouts are made; ValueError where a value is out of range.

    An interval's tokens are spent in rounds: the student writes about `round_tokens` tokens, is trained on them once, and writes the next.
    """

    warmup: float = 0.0  # share of the trial's intervals, in [0, 1), that buy the teacher's answers alone, before the first rollout
    share: float = 1.0  # of a later interval's tokens, in (0, 1]; the rest buys the teacher's answers
    group_size: int = 1  # answers to one prompt
    temperature: float = 1.0  # of the distribution that tokens are drawn from
    top_p: float = 1.0  # draws from the most probable tokens with so much mass
    round_tokens: int = 1024  # written by the student before it is trained on them
    sampler: str = "local"  # who writes them: the student here (local), or a vLLM server that gets its weights (vllm; settings `sampler.`)
    token_budget: int = 0  # a longer answer earns no reward (BARD, arXiv 2511.01470); 0: any length does
    # a prompt none of whose answers earns a reward is answered once more with so much of the teacher's answer, a share of its characters,
    # below it; the student is trained on the prompt without it (after HINT, arXiv 2510.09388); 0: none is tried again
    hint: float = 0.0

    def __post_init__(self) -> None:
        _check("warmup", self.warmup, 0.0 <= self.warmup < 1.0, "in [0, 1)")
        _check("the share of rollouts", self.share, 0.0 < self.share <= 1.0, "in (0, 1]")
        _check("group_size", self.group_size, 1 <= self.group_size <= 1024, "from 1 to 1024")
        _check("temperature", self.temperature, 0.01 <= self.temperature <= 100.0, "between 0.01 and 100")
        _check("top_p", self.top_p, 0.0 < self.top_p <= 1.0, "in (0, 1]")
        _check("round_tokens", self.round_tokens, self.round_tokens >= 1, "at least 1")
        _check("token_budget", self.token_budget, self.token_budget >= 0, "at least 0")
        if self.sampler not in ("local", "vllm"):
            raise ValueError(f"sampler must be local or vllm, got {self.sampler!r}")
        _check("hint", self.hint, 0.0 <= self.hint <= 1.0, "in [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """N label tokens of S sequences, in row order; V entries in the vocabulary. What the objective does not need is None."""

    logits: "torch.Tensor"  # (N, V) of the student at the positions that predict the labels, with gradient
    labels: "torch.Tensor"  # (N,) int64
    sequence: "torch.Tensor"  # (N,) int64, which of the S sequences a token belongs to
    normaliser: float  # label tokens of the whole optimiser step, over all its batches: a loss is a sum over tokens divided by it
    sequences: float  # likewise the step's sequences, for a loss that is a mean over sequences
    max_new_tokens: int  # that a sequence may have, for a loss that is divided by it
    progress: float  # share of the budget that is spent, in [0, 1]
    teacher_logits: "torch.Tensor | None" = None  # (N, V) of the teacher at the same positions, without gradient
    teacher_top: "torch.Tensor | None" = None  # (N, k) int64, the teacher's most probable tokens there, the most probable first
    # (N, k + 1) their log-probabilities, at the objective's `temperature`, and the logarithm of the rest's mass (−inf: none is left)
    teacher_top_logprob: "torch.Tensor | None" = None
    reward: "torch.Tensor | None" = None  # (S,) the verifier's score in [0, 1]
    # Of rollouts only, None for the teacher's answers: log-probabilities of the labels, without gradient, at the rollouts' temperature
    old_logprob: "torch.Tensor | None" = None  # (N,) of the student when it wrote the sequences
    teacher_logprob: "torch.Tensor | None" = None  # (N,)
    reference_logprob: "torch.Tensor | None" = None  # (N,) of the untrained student
    # and (S,) (R − mean)/(sd + 1e-4) over the answers to the sequence's prompt, sd with n − 1; 0 where all are alike
    advantage: "torch.Tensor | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What an objective makes of a batch."""

    value: "torch.Tensor"  # () to call backward on: Σ over tokens / normaliser
    tokens: "torch.Tensor"  # (N,) nats, for the record
    # (N,) by name, detached, for the record: a share or a size of each token, NaN where a token has none; an interval keeps their means
    figures: "Mapping[str, torch.Tensor]" = field(default_factory=dict)


class Objective(Protocol):
    """The training loss. It never decides which capability is trained: that is the allocator's.

    One that needs rollouts also has `rollouts`, a `Rollouts` that says how they are made; one that needs the teacher's top also has `top`,
    how many tokens, and `temperature`.
    """

    needs: frozenset[str]  # of NEEDS

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch. The batches of one optimiser step add up to the gradient of the step, however it was cut."""


def _check(name: str, value: float, valid: bool, allowed: str) -> None:
    if not valid or not math.isfinite(value):
        raise ValueError(f"{name} must be {allowed}, got {value}")
