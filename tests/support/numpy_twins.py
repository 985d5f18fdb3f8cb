"""Plain NumPy and Python twins of the C++ core: the same definitions, written to be read, not to be fast."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
WORD = 0xFFFFFFFF


def sealed(body: bytes) -> bytes:
    """The body of a state with its checksum (FNV-1a)."""
    checksum = 0xCBF29CE484222325
    for byte in body:
        checksum = ((checksum ^ byte) * 0x100000001B3) % 2**64
    return body + checksum.to_bytes(8, "little")


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10 (Salmon et al. 2011)."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right >> 32) ^ b ^ k0, right & WORD, (left >> 32) ^ d ^ k1, left & WORD
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return a, b, c, d


@dataclass(frozen=True)
class RngTwin:
    """`CounterRng`, one index at a time."""

    seed: int
    stream: int = 0

    def pair(self, index: int) -> tuple[int, int]:
        counter = (index & WORD, index >> 32, self.stream & WORD, self.stream >> 32)
        a, b, c, d = philox4x32(counter, (self.seed & WORD, self.seed >> 32))
        return b << 32 | a, d << 32 | c

    def bits(self, index: int) -> int:
        return self.pair(index)[0]

    def uniform(self, index: int) -> float:
        return (self.bits(index) >> 11) * 2.0**-53

    def normal(self, index: int) -> float:
        first, second = ((word >> 11) * 2.0**-53 for word in self.pair(index))
        return math.sqrt(-2.0 * math.log(1.0 - first)) * math.cos(2.0 * math.pi * second)

    def poisson(self, index: int) -> int:
        u, count, probability = self.uniform(index), 0, math.exp(-1.0)
        cumulative = probability
        while u >= cumulative and count < 20:
            count += 1
            probability /= count
            cumulative += probability
        return count

    def permutation(self, n: int, start: int = 0) -> list[int]:
        order = list(range(n))
        for last in range(n - 1, 0, -1):
            other = (self.bits(start + last) >> 32) * (last + 1) >> 32
            order[last], order[other] = order[other], order[last]
        return order


@dataclass
class LedgerTwin:
    """`Ledger`: four lists of Python integers."""

    budget_tokens: int
    num_capabilities: int
    generated: list[int] = field(init=False)
    trained: list[int] = field(init=False)
    scored: list[int] = field(init=False)
    rollout: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.generated, self.trained, self.scored, self.rollout = ([0] * self.num_capabilities for _ in range(4))

    @property
    def spent_tokens(self) -> int:
        return sum(self.generated) + sum(self.trained) + sum(self.scored) + sum(self.rollout)

    def charge_example(self, capability: int, generated_tokens: int, trained_tokens: int, scored_tokens: int, rollout_tokens: int) -> bool:
        """Charges all, or none; says which."""
        fits = self.spent_tokens + generated_tokens + trained_tokens + scored_tokens + rollout_tokens <= self.budget_tokens
        if fits:
            self.generated[capability] += generated_tokens
            self.trained[capability] += trained_tokens
            self.scored[capability] += scored_tokens
            self.rollout[capability] += rollout_tokens
        return fits

    def to_bytes(self) -> bytes:
        """The same state: version 1 ends with two accounts a capability that are not in use."""
        unused = [0] * (2 * self.num_capabilities)
        accounts = (*self.generated, *self.trained, *self.scored, *self.rollout)
        words = (1, self.budget_tokens, self.num_capabilities, *accounts, *unused)
        return sealed(b"readbench.ledger" + b"".join(word.to_bytes(8, "little") for word in words))


@dataclass
class SchedulerTwin:
    """`Scheduler`: deficit round robin in tokens."""

    deficits: list[int]

    def grant(self, allocation: list[float], tokens: int) -> None:
        total = 0.0
        for share in allocation:
            total += share
        quotas = [share / total * tokens for share in allocation]
        parts = [math.floor(quota) for quota in quotas]
        by_remainder = sorted(range(len(quotas)), key=lambda c: (-(quotas[c] - parts[c]), c))
        for c in by_remainder[: tokens - sum(parts)]:
            parts[c] += 1
        self.deficits = [deficit + credit for deficit, credit in zip(self.deficits, parts, strict=True)]

    def admit(self, capability: int, costs: list[int]) -> int:
        for taken, cost in enumerate(costs):
            if cost > self.deficits[capability]:
                return taken
            self.deficits[capability] -= cost
        return len(costs)

    def admit_remainder(self, head_costs: list[int], remaining_tokens: int) -> int:
        fitting = [c for c, cost in enumerate(head_costs) if 0 < cost <= remaining_tokens and self.deficits[c] > 0]
        if not fitting:
            return -1
        best = max(fitting, key=lambda c: (self.deficits[c], -c))
        self.deficits[best] -= head_costs[best]
        return best

    def most_owed(self, pending: list[int]) -> int:
        owed = [deficit - waiting for deficit, waiting in zip(self.deficits, pending, strict=True)]
        best = max(range(len(owed)), key=lambda c: (owed[c], -c))
        return best if owed[best] > 0 else -1


@dataclass
class BanditTwin:
    """`EnsembleBandit`: bootstrap ensemble of input -> hidden (ReLU) -> 1 networks, trained by Adam from their initial weights."""

    num_inputs: int
    seed: int
    num_members: int = 5
    hidden: int = 64
    steps: int = 200
    batch_size: int = 64
    learning_rate: float = 1e-2
    inputs: list[Doubles] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)

    def add(self, inputs: Doubles, reward: float) -> None:
        self.inputs.append(inputs)
        self.rewards.append(reward)

    def bootstrap_weights(self, member: int) -> Integers:
        rng = RngTwin(self.seed, 1 << 32 | member)
        weights = np.array([rng.poisson(i) for i in range(len(self.rewards))], dtype=np.int64)
        return weights if weights.any() else np.ones_like(weights)

    def initial_weights(self, member: int) -> list[Doubles]:
        """W1 (D, H), b1 (H,), w2 (H,), b2 (1,)."""
        rng = RngTwin(self.seed, member)
        size_first, size_second = (self.num_inputs + 1) * self.hidden, self.hidden + 1
        draws = np.array([2.0 * rng.uniform(i) - 1.0 for i in range(size_first + size_second)])
        first = draws[:size_first].reshape(-1, self.hidden) / math.sqrt(self.num_inputs)
        second = draws[size_first:] / math.sqrt(self.hidden)
        return [first[:-1], first[-1], second[:-1], second[-1:]]

    def fitted(self, member: int) -> list[Doubles]:
        parameters = [parameter.copy() for parameter in self.initial_weights(member)]
        rewards = np.array(self.rewards)
        weights = self.bootstrap_weights(member)
        pairs = np.flatnonzero(weights)
        mean, scale = self.standardisation()
        first, second = ([np.zeros_like(parameter) for parameter in parameters] for _ in range(2))
        batches = -(-len(pairs) // self.batch_size)
        for step in range(self.steps if len(pairs) else 0):
            epoch, batch = divmod(step, batches)
            order = RngTwin(self.seed, 2 << 32 | member).permutation(len(pairs), epoch << 32)
            chosen = pairs[order[batch * self.batch_size : (batch + 1) * self.batch_size]]
            gradients = self.gradients(parameters, np.array(self.inputs)[chosen], (rewards[chosen] - mean) / scale, weights[chosen])
            for which, gradient in enumerate(gradients):
                first[which] = 0.9 * first[which] + 0.1 * gradient
                second[which] = 0.999 * second[which] + 0.001 * gradient**2
                direction = first[which] / (1.0 - 0.9 ** (step + 1))
                variance = second[which] / (1.0 - 0.999 ** (step + 1))
                parameters[which] -= self.learning_rate * direction / np.sqrt(variance + 1e-16)
        return parameters

    def standardisation(self) -> tuple[float, float]:
        rewards = np.array(self.rewards)
        if len(rewards) == 0:
            return 0.0, 1.0
        return float(rewards.mean()), float(rewards.std()) or 1.0

    @staticmethod
    def gradients(parameters: list[Doubles], x: Doubles, targets: Doubles, weights: Integers) -> list[Doubles]:
        first, first_bias, second, second_bias = parameters
        before = x @ first + first_bias
        units = np.maximum(before, 0.0)
        error = 2.0 * weights / weights.sum() * (units @ second + second_bias[0] - targets)
        delta = error[:, None] * second * (before > 0.0)
        return [x.T @ delta, delta.sum(axis=0), units.T @ error, error.sum(keepdims=True)]

    def predict(self, inputs: Doubles) -> tuple[Doubles, Doubles]:
        outputs = []
        for member in range(self.num_members):
            first, first_bias, second, second_bias = self.fitted(member)
            outputs.append(np.maximum(inputs @ first + first_bias, 0.0) @ second + second_bias[0])
        mean, scale = self.standardisation()
        return mean + scale * np.mean(outputs, axis=0), scale * np.std(outputs, axis=0, ddof=1)


GRID = np.concatenate([[0.0], np.geomspace(0.002, 0.1, 28), 0.1 + 0.9 * np.arange(1, 47) / 46])


@dataclass(frozen=True)
class HorizonTwin:
    """`plan_horizon`, with whole grids and a sort where the core looks ahead step by step."""

    logits: Doubles
    recency: Doubles
    gains: Doubles
    forgetting: Doubles
    shares: Doubles
    exponents: Doubles
    left: float
    late: float
    decay: float
    floor: float

    def plan(self) -> tuple[Doubles, Doubles, Doubles]:
        most = np.argsort(-self.shares, kind="stable")[:3] if len(self.shares) > 1 else []
        starts = [self.weights(log_sigmoid(self.logits)), *(self.exponents[chain] for chain in most)]
        plans = [self.from_start(n) for n in starts]
        allocations, scores, utilities = zip(*plans, strict=True)
        return np.array(allocations), np.array(scores), np.array(utilities)

    def from_start(self, n: Doubles) -> tuple[Doubles, Doubles, float]:
        best: tuple[Doubles, Doubles, float] = (n, n, -1.0)
        for _ in range(6):
            first, end = self.split(n)
            utility = float(self.shares @ np.exp(self.exponents @ end))
            if utility > best[2]:
                best = (first, np.exp(end), utility)
            again = self.weights(end)
            if np.abs(again - n).max() < 1e-9:
                break
            n = (n + again) / 2
        return best

    def weights(self, log_scores: Doubles) -> Doubles:
        logs = np.log(self.shares) + self.exponents @ log_scores
        right = np.exp(logs - logs.max())
        result: Doubles = right @ self.exponents / right.sum()
        return result

    def split(self, n: Doubles) -> tuple[Doubles, Doubles]:
        second_span = min(self.late, self.left)
        first_span = self.left - second_span
        rest = math.exp(-self.left / self.decay)
        kept = self.recency * rest
        c1, c2 = math.exp(-second_span / self.decay) - rest, 1 - math.exp(-second_span / self.decay)
        base = self.logits - self.forgetting * np.log(self.recency + self.floor)

        def reached(span: float, fresh: float, lift: Doubles | float, old: Doubles, w: Doubles) -> Doubles:
            fed = (self.gains * span)[:, None] * w
            remembered = self.forgetting[:, None] * np.log((old + self.floor)[:, None] + fresh * w)
            result: Doubles = log_sigmoid((base + lift)[:, None] + fed + remembered)
            return result

        def fill(span: float, fresh: float, lift: Doubles | float, old: Doubles) -> Doubles:
            values = n[:, None] * reached(span, fresh, lift, old, GRID[None])
            steps = np.broadcast_to(np.diff(GRID), (len(n), len(GRID) - 1))
            gain = np.where(n[:, None] > 1e-12, np.diff(values) / steps, -np.inf)
            filled, left = np.zeros(len(n)), 1.0
            for place in np.argsort(-gain.ravel(), kind="stable"):
                capability = place // steps.shape[1]
                taken = min(left, steps.ravel()[place])
                filled[capability] += taken
                left -= taken
                if left <= 0:
                    break
            return filled

        first = fill(self.left, c1 + c2, 0.0, kept)
        second = first
        if first_span > 0:
            for _ in range(2):
                first = fill(first_span, c1, self.gains * second_span * second, kept + c2 * second)
                second = fill(second_span, c2, self.gains * first_span * first, kept + c1 * first)
        end = reached(first_span, c1, self.gains * second_span * second, kept + c2 * second, first[:, None])[:, 0]
        return first, end


def log_sigmoid(u: Doubles) -> Doubles:
    result: Doubles = -np.logaddexp(0.0, -u)
    return result
