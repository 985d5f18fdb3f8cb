"""The student: a language model that is trained on examples, with AdamW and an objective.

On CUDA the forward runs in bf16 autocast over fp32 master weights. Given the same calls the CPU gives the same bits.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from readbench.api import Batch, Objective
from readbench.base.errors import TrialFailure
from readbench.models import batches
from readbench.models.batches import Encoded, chunks_by_length, collate
from readbench.models.language_model import LanguageModel
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.students.schedule import TrainingConfig, shuffled

TeacherLogits = Callable[[batches.Batch], torch.Tensor]  # (N, V) at the positions that predict a batch's labels, without gradient


class Student:
    """A model, its optimiser and its objective. Not shared between threads."""

    def __init__(self, model: LanguageModel, *, training: TrainingConfig, objective: Objective) -> None:
        self.model = model
        self.training = training
        self._objective = objective
        # tied ones once
        self._parameters = {name: parameter for name, parameter in model.network.named_parameters() if parameter.requires_grad}
        self._optimizer = _optimizer(list(self._parameters.values()), training)

    @classmethod
    def load(cls, path: Path, *, training: TrainingConfig, objective: Objective, device: str, chat: ChatConfig = NO_CHAT) -> "Student":
        """A student from a model folder, untrained: moments zero, step 0."""
        return cls(LanguageModel.load(path, device=device, chat=chat), training=training, objective=objective)

    def train(
        self, examples: Sequence[Encoded], *, progress: tuple[float, float], seed: int, teacher_logits: TeacherLogits | None = None
    ) -> npt.NDArray[np.float64]:
        """One pass over the examples; `progress` = share of the budget spent before and after it.

        `teacher_logits` serves an objective that needs them.

        Returns (N,) nats: the sum over label tokens of each example's loss, before the step that it takes part in.
        TrialFailure where a loss or gradient is not finite: the weights are then those before that step.
        """
        losses = np.zeros(len(examples))
        if not examples:
            return losses
        lengths = [len(example.tokens) for example in examples]
        total, before = sum(lengths), 0
        self.model.network.train()
        with _seeded(seed, self.model.device):  # for students with dropout
            for chunk in shuffled(chunks_by_length(lengths, self.training.step_tokens), seed):
                tokens = sum(lengths[index] for index in chunk)
                share = progress[0] + (progress[1] - progress[0]) * (before + tokens / 2) / total
                losses[chunk] = self._step([examples[index] for index in chunk], self.training.learning_rate_at(share), teacher_logits)
                before += tokens
        self.model.network.eval()  # type: ignore[no-untyped-call]
        return losses

    def _step(self, examples: Sequence[Encoded], learning_rate: float, teacher_logits: TeacherLogits | None) -> npt.NDArray[np.float64]:
        batch = collate(examples, self.model.device)
        loss = self._objective.loss(
            Batch(
                logits=self.model.label_logits(batch),
                labels=batch.labels,
                sequence=torch.from_numpy(_rows(batch)).to(self.model.device),
                normaliser=float(len(batch.labels)),
                teacher_logits=teacher_logits(batch) if teacher_logits and "teacher_logits" in self._objective.needs else None,
            )
        )
        loss.value.backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # the one transfer of a step: all losses and the norm
        *values, norm_value = torch.cat((loss.tokens, norm.reshape(1))).double().tolist()
        if not math.isfinite(norm_value) or not math.isfinite(sum(values)):
            self._optimizer.zero_grad()
            raise TrialFailure(f"optimiser step {self._steps_done() + 1}: the loss or its gradient is not finite")
        if norm_value > self.training.clip_norm:
            torch._foreach_mul_(gradients, self.training.clip_norm / norm_value)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        return np.add.reduceat(np.array(values), batch.starts)

    def _steps_done(self) -> int:
        first = next(iter(self._parameters.values()))
        return int(self._optimizer.state[first]["step"].item())

    def state(self) -> dict[str, torch.Tensor]:
        """Weights, moments and step counters, flat, on the CPU, sharing no memory: everything that training changes."""
        state = {}
        for name, parameter in self._parameters.items():
            moments = self._optimizer.state[parameter]
            for kind, tensor in (("weight", parameter), *moments.items()):
                state[f"{kind}:{name}"] = tensor.detach().to("cpu", copy=True).contiguous()
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Takes back what `state` returned, bit for bit; ValueError where the tensors are not this model's."""
        expected = self.state()
        if state.keys() != expected.keys() or any(state[key].shape != expected[key].shape for key in expected):
            raise ValueError("the state is of another model")
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                for kind, tensor in (("weight", parameter), *self._optimizer.state[parameter].items()):
                    tensor.copy_(state[f"{kind}:{name}"])


def _rows(batch: batches.Batch) -> npt.NDArray[np.int64]:
    """(N,) the row that each label token belongs to."""
    counts = np.diff(np.append(batch.starts, len(batch.labels)))
    return np.repeat(np.arange(len(counts)), counts)


def _optimizer(parameters: list[torch.nn.Parameter], training: TrainingConfig) -> torch.optim.AdamW:
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, betas=(training.beta1, training.beta2), fused=True)
    for parameter in parameters:  # made by the first step otherwise; here, so that `state` has the same tensors at any time
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout from `seed`; the global generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        yield
