"""The C++ core: counter-based random numbers, token accounts, scheduler, ReAD's bandit, what is between a small model's matrix products.

Arrays must have the dtype and shape that is said; nothing is cast. Every argument outside its range is a ValueError.
`to_bytes` / `from_bytes` are exact and carry a version and a checksum; `from_bytes` raises ValueError for bytes that are
damaged, of another version or of another class. K is the number of capabilities.
"""

from typing import Literal, final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]
_Doubles = npt.NDArray[np.float64]
_Integers = npt.NDArray[np.int64]

def instruction_set() -> Literal["avx512", "avx2", "portable"]:
    """What the kernels run on here.

    One machine always gives the same bits; `portable` differs from the other two in the last ones.
    """

@final
class CounterRng:
    """Random numbers as a pure function of (seed, stream, index): Philox4x32-10 (Salmon et al. 2011)."""

    def __init__(self, seed: int, stream: int = 0) -> None:
        """`seed` and `stream` are unsigned 64-bit integers; streams are independent."""

    def bits(self, start: int, count: int) -> npt.NDArray[np.uint64]:
        """(count,) 64 random bits each, at the indices from `start` on."""

    def uniform(self, start: int, count: int) -> _Doubles:
        """(count,) uniform in [0, 1)."""

    def normal(self, start: int, count: int) -> _Doubles:
        """(count,) standard normal."""

    def poisson(self, start: int, count: int) -> _Integers:
        """(count,) Poisson with mean 1."""

    def permutation(self, n: int, start: int = 0) -> _Integers:
        """(n,) a permutation of 0..n-1, from the n indices after `start`."""

class BudgetExceeded(ValueError):
    """A charge that would pass the budget; nothing was charged."""

@final
class Ledger:
    """Integer token accounts of one trial: what its examples cost to generate, to train on, to score and to roll out, by capability."""

    def __init__(self, budget_tokens: int, num_capabilities: int) -> None:
        """All accounts start at 0. `budget_tokens` >= 1, `num_capabilities` in 1..4096."""

    def charge_example(
        self, capability: int, *, generated_tokens: int, trained_tokens: int, scored_tokens: int = 0, rollout_tokens: int = 0
    ) -> None:
        """Charges an example's costs, each >= 0; BudgetExceeded, and none is charged, if together they would pass the budget."""

    @property
    def spent_tokens(self) -> int:
        """Sum of all accounts."""

    @property
    def remaining_tokens(self) -> int:
        """`budget_tokens` - `spent_tokens`, never negative."""

    def to_bytes(self) -> bytes:
        """The state."""

    @staticmethod
    def from_bytes(state: bytes) -> Ledger:
        """The ledger that `to_bytes` wrote."""

    def __eq__(self, other: object) -> bool: ...

@final
class Scheduler:
    """Deficit round robin in tokens: allocation + tokens -> how many slots of each capability.

    The tokens served to a capability trail those granted to it by less than its next slot's cost, over any number of intervals.
    """

    def __init__(self, num_capabilities: int) -> None:
        """All deficits start at 0."""

    @property
    def num_capabilities(self) -> int:
        """K."""

    @property
    def deficits(self) -> _Integers:
        """(K,) tokens granted and not yet served (a copy); negative after an overdraft of `admit_remainder` or `spend`."""

    def grant(self, allocation: _Doubles, tokens: int) -> None:
        """Adds `tokens` (0..2^36) to the deficits, split by `allocation` (K,) so that the parts sum exactly to `tokens`.

        Largest remainders, ties to the lower index. The allocation must be on the simplex to 1e-6.
        """

    def admit(self, capability: int, costs: _Integers) -> int:
        """Serves the capability's next slots, `costs` (n,) in stream order, while they fit its deficit.

        Returns how many were served; n of n means: ask again with the slots that follow (the result does not depend on
        how the stream is cut into calls).
        """

    def admit_remainder(self, head_costs: _Integers, remaining_tokens: int) -> int:
        """At the end of the last interval: serves one more slot; returns its capability, or -1 when it is over.

        Served is the largest deficit > 0 (ties: lower index) whose head slot fits `remaining_tokens` of the budget.
        `head_costs` (K,) holds each capability's next cost, -1 where it has no slot. A capability overdraws at most once.
        """

    def most_owed(self, pending: _Integers) -> int:
        """The capability with the largest deficit > 0 after (K,) `pending` tokens >= 0 of what is not paid yet; -1 if none has one."""

    def spend(self, capability: int, tokens: int) -> None:
        """Takes a cost >= 0 that was known only afterwards from a deficit, which may become negative."""

    def estimate(self, mean_costs: _Doubles) -> _Integers:
        """(K,) about how many slots each deficit pays for at `mean_costs` (K,) >= 1 tokens, rounded up."""

    def to_bytes(self) -> bytes:
        """The state."""

    @staticmethod
    def from_bytes(state: bytes) -> Scheduler:
        """The scheduler that `to_bytes` wrote."""

    def __eq__(self, other: object) -> bool: ...

@final
class EnsembleBandit:
    """ReAD's bootstrap ensemble of two-layer perceptrons with an upper confidence bound (method: docs/method.md).

    Each member counts every logged pair Poisson(1) times, drawn once, and each fit starts from the member's own initial
    weights: predictions are a pure function of (configuration, pairs). Safe to use from several threads.
    """

    def __init__(
        self,
        num_inputs: int,
        *,
        seed: int,
        num_members: int = 5,
        hidden: int = 64,
        steps: int = 200,
        batch_size: int = 64,
        learning_rate: float = 0.01,
    ) -> None:
        """`steps` of Adam per fit; inputs should be normalised to about [0, 1] by the caller, rewards may have any scale."""

    @property
    def num_inputs(self) -> int:
        """Entries of an input."""

    @property
    def num_members(self) -> int:
        """Networks in the ensemble."""

    @property
    def num_observations(self) -> int:
        """Pairs logged."""

    def add(self, inputs: _Doubles, reward: float) -> None:
        """Logs a pair: `inputs` (num_inputs,); NaN or Inf anywhere is a ValueError and logs nothing."""

    def fit(self) -> None:
        """Trains all members on all pairs. `predict` and `select` do so themselves where pairs were logged since."""

    def predict(self, inputs: _Doubles) -> tuple[_Doubles, _Doubles]:
        """`inputs` (N, num_inputs) -> mean (N,) and sample standard deviation (N,) over the members, in reward units."""

    def select(self, candidates: _Doubles, kappa: float) -> int:
        """Index of the row of `candidates` (N, num_inputs) with the largest mean + kappa * std (ties: lowest index)."""

    def bootstrap_weights(self) -> _Integers:
        """(num_members, num_observations) how often each pair counts for each member."""

    def to_bytes(self) -> bytes:
        """Configuration and pairs, exactly."""

    @staticmethod
    def from_bytes(state: bytes) -> EnsembleBandit:
        """A bandit that predicts and goes on as the one that `to_bytes` was asked of."""

def plan_horizon(
    logits: _Doubles,
    recency: _Doubles,
    gains: _Doubles,
    forgetting: _Doubles,
    shares: _Doubles,
    exponents: _Doubles,
    *,
    left: float,
    late: float,
    decay: float,
    floor: float,
) -> tuple[_Doubles, _Doubles, _Doubles]:
    """Plans from S starts for C kinds of items: the shares of the first phase (S, K), the scores at the end (S, K), the utilities (S,).

    `logits` (K,) of the scores now; `recency` (K,) in [0, 1]; `gains` (K,) logits that the whole time on one capability adds;
    `forgetting` (K,) logits a unit of log recency; `shares` (C,) of the items; `exponents` (C, K) of the scores in them. `left`, the
    second phase's length `late` and the recency's `decay` are shares of the trial's learning time.
    """

def normalise(x: _Floats, epsilon: float, normal: _Floats, inverse: _Floats) -> None:
    """Writes `normal` (N, d) = x / rms(x) and `inverse` (N,) = 1 / rms(x) of x (N, d), with `epsilon` added to the mean square."""

def normalise_backward(normal: _Floats, inverse: _Floats, grad: _Floats, to_x: _Floats) -> None:
    """The gradient of `normalise`: by that of `normal` (N, d) that of x, in `to_x` (N, d)."""

def gated_silu(both: _Floats, product: _Floats) -> None:
    """Writes `product` (N, F) = silu(gate)·up of `both` (N, 2F), gate and up side by side."""

def gated_silu_backward(both: _Floats, grad: _Floats, to_both: _Floats) -> None:
    """The gradient of `gated_silu`: by that of the product (N, F) that of both, in `to_both` (N, 2F)."""

def attend(z: _Floats, starts: _Integers, turns: _Floats, heads: int, groups: int, mixed: _Floats) -> None:
    """Causal attention of B sequences in rows [starts[b], starts[b + 1]) of z, whose tokens begin at place 0.

    z (N, (H + 2G)·D) holds H heads of queries, G of keys, G of values; turns (T, D) of each place the cosines of a head's D/2 angles
    and the sines. Writes `mixed` (N, H·D); rows beyond the last start are left alone.
    """

def attend_backward(z: _Floats, starts: _Integers, turns: _Floats, heads: int, groups: int, grad: _Floats, to_z: _Floats) -> None:
    """The gradient of `attend`: by that of `mixed` (N, H·D) that of z, in `to_z`."""

@final
class AttentionCache:
    """Keys and values of B sequences that grow together."""

    def __init__(self, num_sequences: int, turns: _Floats, heads: int, groups: int) -> None:
        """Each has room for as many tokens as `turns` (T, D) has places."""

    def attend(self, z: _Floats, starts: _Integers, first: int, mixed: _Floats) -> None:
        """As the function `attend`, of tokens that are appended to the sequences from `first` on: they attend to those before, too."""

    def keep(self, sequences: _Integers) -> None:
        """Keeps these sequences, one as often as it is named."""
