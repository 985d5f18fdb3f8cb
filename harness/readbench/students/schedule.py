"""How a pass over an interval's examples is cut into optimiser steps, and at which learning rate (torch-free).

Examples are sorted by length and cut into chunks of about `step_tokens` padded tokens (`readbench.models.batches`); the
learning rate follows the share of the budget that is spent, not the number of steps, which differs between allocations.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from readbench.base.errors import ConfigError
from readbench.models.lean.cpu import Products
from readbench.models.loading.adapters import ALL_LINEAR


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """A low-rank adapter that is trained in place of the weights (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = 0  # 0: all weights are trained
    alpha: float = 32.0  # the adapter's product is multiplied by alpha / rank
    targets: str = ALL_LINEAR  # the matrices that have one: all but the output head, or names separated by commas: q_proj,v_proj

    def __post_init__(self) -> None:
        _check("lora.rank", self.rank, 0 <= self.rank <= 4096, "in 0..4096")
        _check("lora.alpha", self.alpha, 0.0 < self.alpha < math.inf, "positive and finite")
        _check("lora.targets", self.targets, bool(self.target_names), f"names of matrices, or {ALL_LINEAR}")

    @property
    def target_names(self) -> tuple[str, ...] | str:
        """The names, or that it is all."""
        names = tuple(name.strip() for name in self.targets.split(",") if name.strip())
        return ALL_LINEAR if names == (ALL_LINEAR,) else names


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """AdamW with warm-up and cosine decay."""

    learning_rate: float = 5e-4  # at its peak
    warmup_share: float = 0.02  # of the budget, from 0 to the peak
    final_lr_share: float = 0.1  # of the peak, when the budget is spent
    step_tokens: int = 1024  # about this many padded tokens an optimiser step
    micro_tokens: int = 0  # at most so many padded tokens a forward and backward pass, whose gradients are added up; 0: a step is one
    checkpointing: bool = False  # keeps no activations inside a layer, but computes them again in the backward pass
    weights: Literal["float32", "bfloat16"] = "float32"  # how the student's weights are held; an adapter's are always float32
    products: Products = "float32"  # how the CPU multiplies matrices in the student's training and scoring
    optimizer: Literal["adamw", "adamw-8bit"] = "adamw"  # the latter by bitsandbytes: moments of a byte each
    compile: bool = False  # the forward and backward pass by torch.compile
    lora: LoraConfig = field(default_factory=LoraConfig)
    weight_decay: float = 0.01  # of matrices; vectors (norms, biases) are not decayed
    beta1: float = 0.9
    beta2: float = 0.99
    clip_norm: float = 1.0  # of the gradient, over all parameters

    def __post_init__(self) -> None:
        _check("learning_rate", self.learning_rate, 0.0 < self.learning_rate <= 1.0, "in (0, 1]")
        _check("warmup_share", self.warmup_share, 0.0 <= self.warmup_share < 1.0, "in [0, 1)")
        _check("final_lr_share", self.final_lr_share, 0.0 <= self.final_lr_share <= 1.0, "in [0, 1]")
        _check("step_tokens", self.step_tokens, self.step_tokens >= 1, "at least 1")
        _check("micro_tokens", self.micro_tokens, self.micro_tokens >= 0, "at least 0")
        _check("weight_decay", self.weight_decay, 0.0 <= self.weight_decay <= 1.0, "in [0, 1]")
        _check("beta1", self.beta1, 0.0 <= self.beta1 < 1.0, "in [0, 1)")
        _check("beta2", self.beta2, 0.0 <= self.beta2 < 1.0, "in [0, 1)")
        _check("clip_norm", self.clip_norm, 0.0 < self.clip_norm < math.inf, "positive and finite")

    def learning_rate_at(self, share: float) -> float:
        """Linear warm-up to the peak, then a cosine to `final_lr_share` of it; `share` of the budget is spent."""
        if share < self.warmup_share:
            return self.learning_rate * share / self.warmup_share
        decayed = (min(share, 1.0) - self.warmup_share) / (1.0 - self.warmup_share)
        cosine = 0.5 * (1.0 + math.cos(math.pi * decayed))
        return self.learning_rate * (self.final_lr_share + (1.0 - self.final_lr_share) * cosine)


def learning_rates(training: TrainingConfig, num_intervals: int, horizon: int) -> npt.NDArray[np.float64]:
    """(T,) the rate at the middle of each interval, as a share of its peak, of a training cut off after a `horizon`-th."""
    middles = [(interval + 0.5) / (num_intervals * horizon) for interval in range(num_intervals)]
    return np.array([training.learning_rate_at(share) for share in middles]) / training.learning_rate


def _check(name: str, value: float | str, valid: bool, allowed: str) -> None:
    if not valid:
        raise ConfigError(f"training.{name} is {value}", hint=f"it must be {allowed}")


def shuffled(chunks: list[list[int]], seed: int) -> list[list[int]]:
    """The chunks in an order that depends on the seed alone: in order of length, the last steps would all be long examples."""
    order = list(chunks)
    random.Random(seed).shuffle(order)
    return order
