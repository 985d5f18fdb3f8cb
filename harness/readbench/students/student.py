"""The student: a language model that is trained on examples, with AdamW and an objective.

On CUDA the forward runs in bf16 autocast over the weights. Given the same calls the CPU gives the same bits.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from readbench.api import Batch, Loss, Objective, Vector
from readbench.base.errors import SurroundingError, TrialFailure
from readbench.models import batches
from readbench.models.batches import Encoded, chunks_by_length, collate, runs_within
from readbench.models.language_model import LanguageModel, log_probabilities
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.students.optimizer import make_optimizer, take_back, tensors_of
from readbench.students.schedule import TrainingConfig, shuffled

# (N, V) logits of models that are not trained, at the positions of a batch's labels, whose rows are of these capabilities
Reader = Callable[[batches.Batch, Sequence[int]], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What is known of N sequences besides their tokens."""

    reward: Vector | None = None  # (N,) the verifiers' scores
    advantage: Vector | None = None  # (N,) of sequences that the student wrote
    teacher_logprob: Sequence[Vector] | None = None  # N log-probabilities of their labels, likewise
    reference_logprob: Sequence[Vector] | None = None  # likewise, by the untrained student
    teacher_top: Sequence[Vector] | None = None  # N matrices (labels, 2·k + 1): see `readbench.api.ScoringTeacher.top`


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass over N examples."""

    losses: Vector  # (N,) nats: the sum over label tokens of each example's loss, before the step that it takes part in
    figures: Mapping[str, tuple[float, int]]  # the objective's, by name: sum, and tokens that it was summed over


class Student:
    """A model, its optimiser and its objective. Not shared between threads."""

    def __init__(
        self,
        model: LanguageModel,
        *,
        training: TrainingConfig,
        objective: Objective,
        max_new_tokens: int = 256,
        teacher: Reader | None = None,
        seed: int = 0,
    ) -> None:
        """`teacher` serves an objective that needs its logits; an adapter, if it is to have one, is drawn by `seed`."""
        self.model = model
        self.training = training
        if training.lora.rank:
            with _seeded(seed, model.device):
                model.add_adapter(rank=training.lora.rank, alpha=training.lora.alpha, targets=training.lora.target_names)
        if training.checkpointing:
            model.recompute_activations()
        if training.compile:
            model.compile()
        self._objective = objective
        self._max_new_tokens = max_new_tokens
        self._teacher = teacher if "teacher_logits" in objective.needs else None
        rollouts = getattr(objective, "rollouts", None)
        self._temperature = 1.0 if rollouts is None else rollouts.temperature
        # tied ones once
        self._parameters = {name: parameter for name, parameter in model.network.named_parameters() if parameter.requires_grad}
        self._optimizer = make_optimizer(list(self._parameters.values()), training)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        training: TrainingConfig,
        objective: Objective,
        device: str,
        chat: ChatConfig = NO_CHAT,
        max_new_tokens: int = 256,
        teacher: Reader | None = None,
        seed: int = 0,
    ) -> "Student":
        """A student from a model folder, untrained: moments zero, step 0."""
        model = LanguageModel.load(path, device=device, chat=chat, weights=training.weights)
        return cls(model, training=training, objective=objective, max_new_tokens=max_new_tokens, teacher=teacher, seed=seed)

    def train(
        self,
        examples: Sequence[Encoded],
        *,
        progress: tuple[float, float],
        seed: int,
        outcomes: Outcomes | None = None,
        capabilities: Sequence[int] | None = None,
        own: bool = False,
    ) -> Pass:
        """One pass over the examples; `progress` = share of the budget spent before and after it.

        `capabilities` are theirs, 0 if not given: they say whose logits an objective reads.
        `own` says that the student wrote the sequences, with the weights that it has now; `outcomes` serve an objective that needs rewards.
        TrialFailure where a loss or gradient is not finite: the weights are then those before that step.
        """
        losses, figures = np.zeros(len(examples)), _Figures()
        if not examples:
            return Pass(losses=losses, figures=figures.sums)
        lengths = [len(example.tokens) for example in examples]
        total, before = sum(lengths), 0
        chunks = shuffled(chunks_by_length(lengths, self.training.step_tokens), seed)
        kinds = capabilities or [0] * len(examples)
        micro = self.training.micro_tokens
        steps = [
            [
                self._part(examples, part, kinds, outcomes or Outcomes(), own=own)
                for part in (runs_within(lengths, chunk, micro) if micro else [chunk])
            ]
            for chunk in chunks
        ]
        self.model.network.train()
        with _seeded(seed, self.model.device):  # for students with dropout
            for parts in steps:
                tokens = sum(lengths[index] for part in parts for index in part.indices)
                share = progress[0] + (progress[1] - progress[0]) * (before + tokens / 2) / total
                for part, found in zip(parts, self._step(parts, share, figures), strict=True):
                    losses[part.indices] = found
                before += tokens
        self.model.network.eval()  # type: ignore[no-untyped-call]
        return Pass(losses=losses, figures=figures.sums)

    def _part(
        self, examples: Sequence[Encoded], indices: list[int], capabilities: Sequence[int], outcomes: Outcomes, *, own: bool
    ) -> "_Part":
        """These of the examples, with what is known of them before the first step of the pass."""
        taught = [examples[index] for index in indices]
        given = self._given(outcomes, indices)
        if own:
            given["old_logprob"] = self._own_log_probabilities(taught)
        return _Part(indices=indices, examples=taught, capabilities=[capabilities[index] for index in indices], given=given)

    def _given(self, outcomes: Outcomes, chunk: list[int]) -> dict[str, torch.Tensor]:
        """What a batch carries of the outcomes of a step's sequences, in their order."""
        whole = {"reward": outcomes.reward, "advantage": outcomes.advantage}
        found = {name: values[chunk] for name, values in whole.items() if values is not None}
        by_token = {"teacher_logprob": outcomes.teacher_logprob, "reference_logprob": outcomes.reference_logprob}
        found |= {name: np.concatenate([values[index] for index in chunk]) for name, values in by_token.items() if values is not None}
        if outcomes.teacher_top is not None:
            top = np.concatenate([outcomes.teacher_top[index] for index in chunk])
            k = top.shape[1] // 2
            found |= {"teacher_top": top[:, :k], "teacher_top_logprob": top[:, k:]}
        kinds = {"teacher_top": torch.int64}
        return {n: torch.from_numpy(values).to(self.model.device, kinds.get(n, torch.float32)) for n, values in found.items()}

    def _own_log_probabilities(self, examples: Sequence[Encoded]) -> torch.Tensor:
        """(N,) of the labels now, read as a step reads them: the ratio to them is 1 until a step has changed the weights."""
        batch = collate(examples, self.model.device)
        with torch.no_grad():
            return log_probabilities(self.model.label_logits(batch), batch.labels, self._temperature)

    def _step(self, parts: Sequence["_Part"], progress: float, figures: "_Figures") -> list[npt.NDArray[np.float64]]:
        """One optimiser step on all parts together; the losses of each one's examples."""
        labels, sequences = (float(sum(counts)) for counts in zip(*((part.labels, len(part.examples)) for part in parts), strict=True))
        done = [self._backward(part, labels, sequences, progress) for part in parts]
        gradients = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # the one transfer of a step: all losses, the figures and the norm
        told = [torch.cat([loss.tokens.double(), *(each.double() for each in _sums(loss))]) for _, loss in done]
        *values, norm_value = torch.cat([*told, norm.reshape(1).double()]).tolist()
        each_part = [values[end - len(part) : end] for part, end in zip(told, np.cumsum([len(part) for part in told]), strict=True)]
        losses = []
        for (batch, loss), found in zip(done, each_part, strict=True):
            tokens, sums = found[: len(batch.labels)], found[len(batch.labels) :]
            if not math.isfinite(norm_value) or not math.isfinite(sum(tokens)):
                self._optimizer.zero_grad()
                raise TrialFailure(f"optimiser step {self._steps_done() + 1}: the loss or its gradient is not finite")
            if not math.isfinite(sum(sums)):
                self._optimizer.zero_grad()
                raise TrialFailure(f"optimiser step {self._steps_done() + 1}: a figure of the objective is not finite")
            figures.add(loss.figures, sums)
            losses.append(np.add.reduceat(np.array(tokens), batch.starts))
        if norm_value > self.training.clip_norm:
            torch._foreach_mul_(gradients, self.training.clip_norm / norm_value)
        for group in self._optimizer.param_groups:
            group["lr"] = self.training.learning_rate_at(progress)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return losses

    def _backward(self, part: "_Part", labels: float, sequences: float, progress: float) -> tuple[batches.Batch, Loss]:
        """Adds a part's share to the gradient; `labels` and `sequences` are those of the whole step."""
        batch = collate(part.examples, self.model.device)
        try:
            loss = self._objective.loss(
                Batch(
                    logits=self.model.label_logits(batch),
                    labels=batch.labels,
                    sequence=torch.from_numpy(_rows(batch)).to(self.model.device),
                    normaliser=labels,
                    sequences=sequences,
                    max_new_tokens=self._max_new_tokens,
                    progress=min(progress, 1.0),
                    teacher_logits=None if self._teacher is None else self._teacher(batch, part.capabilities),
                    **part.given,
                )
            )
            loss.value.backward()  # type: ignore[no-untyped-call]
        except torch.OutOfMemoryError as error:
            size = batch.inputs.numel()
            hint = f"set training.micro_tokens to {max(size // 2, 1)} or less: the step is the same, in parts"
            raise SurroundingError(f"the device has too little memory for a pass over {size} tokens", hint=hint) from error
        return batch, loss

    def _steps_done(self) -> int:
        first = next(iter(self._parameters.values()))
        return int(self._optimizer.state[first]["step"])

    def state(self) -> dict[str, torch.Tensor]:
        """Weights, moments and step counters, flat, on the CPU, sharing no memory: everything that training changes."""
        state = {}
        for name, parameter in self._parameters.items():
            for kind, tensor in (("weight", parameter), *tensors_of(self._optimizer, parameter).items()):
                state[f"{kind}:{name}"] = tensor.detach().to("cpu", copy=True).contiguous()
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Takes back what `state` returned, bit for bit; ValueError where the tensors are not this model's."""
        expected = self.state()
        if state.keys() != expected.keys() or any(state[key].shape != expected[key].shape for key in expected):
            raise ValueError("the state is of another model")
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(state[f"weight:{name}"])
                kinds = self._optimizer.state[parameter]
                take_back(self._optimizer, parameter, {kind: state[f"{kind}:{name}"] for kind in kinds})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Examples that go through the student together."""

    indices: list[int]  # in the pass
    examples: Sequence[Encoded]
    capabilities: Sequence[int]
    given: dict[str, torch.Tensor]  # of a `Batch`, beside what the student computes

    @property
    def labels(self) -> int:
        """Label tokens."""
        return sum(example.label_count for example in self.examples)


class _Figures:
    """Sums of an objective's figures over a pass."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, names: Iterable[str], sums: Sequence[float]) -> None:
        """A step's: `sums` holds a sum and a count for each name."""
        for name, value, count in zip(names, sums[::2], sums[1::2], strict=True):
            before, counted = self.sums.get(name, (0.0, 0))
            self.sums[name] = before + value, counted + int(count)


def _sums(loss: Loss) -> list[torch.Tensor]:
    """Of each figure the sum, and how many tokens have it."""
    return [sums for values in loss.figures.values() for sums in (values.nansum()[None], (~values.isnan()).sum()[None])]


def _rows(batch: batches.Batch) -> npt.NDArray[np.int64]:
    """(N,) the row that each label token belongs to."""
    counts = np.diff(np.append(batch.starts, len(batch.labels)))
    return np.repeat(np.arange(len(counts)), counts)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout from `seed`; the global generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        yield
