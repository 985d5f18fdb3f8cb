"""ReAD's bandit against the same ensemble in PyTorch: one fit, and one choice among candidates.

    python benchmarks/bandit.py

5 networks of 25 -> 64 -> 1, 200 Adam steps at 1e-2, batches of 64, 24 logged pairs, 50 candidates, one thread. PyTorch runs
twice: in the plain way (a network and an optimiser per member, a forward pass per candidate and network) and batched over the
members (`baddbmm`, one fused Adam, one forward pass for everything). Repeats are interleaved, figures are medians of CPU time
(other processes do not count), ratios are PyTorch / readbench.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import matmul_gflops

from readbench._core import EnsembleBandit, instruction_set

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.numpy_twins import BanditTwin

MEMBERS, INPUTS, HIDDEN, STEPS, PAIRS, CANDIDATES, RATE, KAPPA = 5, 25, 64, 200, 24, 50, 1e-2, 1.0
REPEATS = 15
CHOICES = 20  # per repeat


class Looped:
    """A network and an optimiser per member."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> None:
        self.inputs, self.targets, self.weights = inputs, targets, weights
        self.networks: list[torch.nn.Module] = []

    def fit(self) -> None:
        """New networks, trained on all pairs."""
        self.networks = []
        for weights in self.weights:
            network = torch.nn.Sequential(torch.nn.Linear(INPUTS, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1))
            optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
            for _ in range(STEPS):  # 24 pairs are one batch
                loss = (weights * (network(self.inputs)[:, 0] - self.targets) ** 2).sum() / weights.sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            self.networks.append(network)

    @torch.no_grad()
    def select(self, candidates: torch.Tensor) -> int:
        """A forward pass per candidate and network."""
        outputs = torch.tensor([[network(candidate).item() for network in self.networks] for candidate in candidates])
        return int((outputs.mean(1) + KAPPA * outputs.std(1)).argmax())


class Batched:
    """All members in one batched product."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> None:
        self.inputs, self.targets = inputs.expand(MEMBERS, -1, -1), targets
        self.weights = weights / weights.sum(1, keepdim=True)
        self.parameters: list[torch.Tensor] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(J, N, D) -> (J, N)."""
        first, first_bias, second, second_bias = self.parameters
        return torch.baddbmm(second_bias, torch.relu(torch.baddbmm(first_bias, inputs, first)), second)[..., 0]

    def fit(self) -> None:
        """New parameters, trained on all pairs."""
        shapes = (((INPUTS, HIDDEN), INPUTS), ((1, HIDDEN), INPUTS), ((HIDDEN, 1), HIDDEN), ((1, 1), HIDDEN))
        self.parameters = [
            torch.empty(MEMBERS, *shape).uniform_(-(fan_in**-0.5), fan_in**-0.5).requires_grad_() for shape, fan_in in shapes
        ]
        optimiser = torch.optim.Adam(self.parameters, lr=RATE, fused=True)
        for _ in range(STEPS):
            loss = (self.weights * (self.forward(self.inputs) - self.targets) ** 2).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    @torch.no_grad()
    def select(self, candidates: torch.Tensor) -> int:
        """One forward pass."""
        outputs = self.forward(candidates.expand(MEMBERS, -1, -1))
        return int((outputs.mean(0) + KAPPA * outputs.std(0)).argmax())


def medians(actions: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Median seconds of CPU time of each action; the repeats of all actions are interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for repeat in range(REPEATS + 1):
        for name, action in actions.items():
            began = time.process_time()
            for _ in range(times):
                action()
            if repeat > 0:  # the first one warms up
                seconds[name].append((time.process_time() - began) / times)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    bandit, twin = EnsembleBandit(INPUTS, seed=1), BanditTwin(INPUTS, 1)
    pairs, rewards, candidates = rng.random((PAIRS, INPUTS)), rng.normal(size=PAIRS), rng.random((CANDIDATES, INPUTS))
    for inputs, reward in zip(pairs, rewards, strict=True):
        bandit.add(inputs, float(reward))
        twin.add(inputs, float(reward))
    standardised = torch.tensor((rewards - rewards.mean()) / rewards.std(), dtype=torch.float32)
    weights = torch.tensor(bandit.bootstrap_weights(), dtype=torch.float32)
    looped, batched = (kind(torch.tensor(pairs, dtype=torch.float32), standardised, weights) for kind in (Looped, Batched))
    rows = torch.tensor(candidates, dtype=torch.float32)

    fit = medians({"readbench": bandit.fit, "looped": looped.fit, "batched": batched.fit}, 1)
    select = medians(
        {
            "readbench": lambda: bandit.select(candidates, KAPPA),
            "looped": lambda: looped.select(rows),
            "batched": lambda: batched.select(rows),
        },
        CHOICES,
    )
    flop = 4 * INPUTS * HIDDEN * STEPS * int((bandit.bootstrap_weights() > 0).sum())  # products with W1: forward, and its gradient
    print(f"machine: fp32 matmul, 1 thread: {matmul_gflops():.0f} GFLOP/s; kernels: {instruction_set()}, fp64")
    print(f"{'':8}{'readbench':>14}{'PyTorch looped':>18}{'ratio':>9}{'PyTorch batched':>18}{'ratio':>9}")
    for name, unit, scale, seconds in (("fit", "ms", 1e3, fit), ("select", "us", 1e6, select)):
        ours, loop, batch = (seconds[key] * scale for key in ("readbench", "looped", "batched"))
        print(f"{name:8}{ours:11.2f} {unit}{loop:15.1f} {unit}{loop / ours:8.0f}x{batch:15.1f} {unit}{batch / ours:8.1f}x")
    print(f"fit: {flop / fit['readbench'] / 1e9:.0f} GFLOP/s of fp64 products, Adam aside")
    difference = max(np.abs(ours - plain).max() for ours, plain in zip(bandit.predict(candidates), twin.predict(candidates), strict=True))
    print(f"largest difference from the NumPy twin (mean and std of rewards with std 1): {difference:.1e}")


if __name__ == "__main__":
    main()
