"""The student's optimiser, and its state as tensors: those after the last step, and the same ones before the first."""

from collections.abc import Sequence
from typing import Any

import torch

from readbench.students.schedule import TrainingConfig


def make_optimizer(parameters: Sequence[torch.nn.Parameter], training: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), its moments zero; vectors are not decayed.

    The moments have the weights' type, or with ``adamw-8bit`` a byte each in blocks (Dettmers et al. 2022, arXiv 2110.02861).
    """
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    if training.optimizer == "adamw-8bit":
        from bitsandbytes.optim.adamw import AdamW8bit

        small: Any = AdamW8bit(groups, lr=training.learning_rate, betas=(training.beta1, training.beta2))  # type: ignore[no-untyped-call]
        for place, group in enumerate(small.param_groups):
            for number, parameter in enumerate(group["params"]):
                small.init_state(group, parameter, place, number)
        return small  # type: ignore[no-any-return]
    optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, betas=(training.beta1, training.beta2), fused=True)
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def tensors_of(optimizer: torch.optim.Optimizer, parameter: torch.nn.Parameter) -> dict[str, torch.Tensor]:
    """A parameter's state; its number of steps as a tensor too."""
    return {name: torch.as_tensor(value) for name, value in optimizer.state[parameter].items()}


def take_back(optimizer: torch.optim.Optimizer, parameter: torch.nn.Parameter, tensors: dict[str, torch.Tensor]) -> None:
    """Restores what `tensors_of` returned."""
    state = optimizer.state[parameter]
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            value.copy_(tensors[name])
        else:
            state[name] = int(tensors[name])
