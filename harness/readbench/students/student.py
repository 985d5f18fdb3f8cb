"""The student: a language model that is trained on examples, with AdamW and an objective.

On CUDA the forward runs in bf16 autocast over the weights. Given the same calls the CPU gives the same bits.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from readbench.api import Batch, Loss, Objective
from readbench.base.errors import SurroundingError, TrialFailure
from readbench.models import batches
from readbench.models.batches import Encoded, chunks_by_length, collate, runs_within
from readbench.models.language_model import LanguageModel, log_probabilities
from readbench.models.ranks import ALONE, Ranks
from readbench.models.text import NO_CHAT, ChatConfig
from readbench.students.optimizer import make_optimizer, take_back, tensors_of
from readbench.students.passes import Figures, Outcomes, Part, Pass, rows_of_labels, sums_of
from readbench.students.schedule import TrainingConfig, shuffled

# (N, V) logits of models that are not trained, at the positions of a batch's labels, whose rows are of these capabilities
Reader = Callable[[batches.Batch, Sequence[int]], torch.Tensor]


_LOSS, _FIGURE = "the loss or its gradient", "a figure of the objective"  # what is not finite


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
        ranks: Ranks = ALONE,
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
        self._ranks = ranks
        if ranks.count > 1:
            model.share_out(ranks)
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
        ranks: Ranks = ALONE,
    ) -> "Student":
        """A student from a model folder, untrained: moments zero, step 0."""
        model = LanguageModel.load(path, device=device, chat=chat, weights=training.weights, products=training.products)
        return cls(model, training=training, objective=objective, max_new_tokens=max_new_tokens, teacher=teacher, seed=seed, ranks=ranks)

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
        losses, figures = np.zeros(len(examples)), Figures()
        if not examples:
            return Pass(losses=losses, figures=figures.sums)
        lengths = [len(example.tokens) for example in examples]
        total, before = sum(lengths), 0
        chunks = shuffled(chunks_by_length(lengths, self.training.step_tokens), seed)
        kinds = capabilities or [0] * len(examples)
        steps = [
            [self._part(examples, part, kinds, outcomes or Outcomes(), own=own) for part in self._passes(lengths, chunk)]
            for chunk in chunks
        ]
        self.model.network.train()
        with _seeded(seed, self.model.device), self.model.multiplying():  # seeded for students with dropout
            for chunk, parts in zip(chunks, steps, strict=True):
                tokens = sum(lengths[index] for index in chunk)
                share = progress[0] + (progress[1] - progress[0]) * (before + tokens / 2) / total
                counts = float(sum(examples[index].label_count for index in chunk)), float(len(chunk))
                for part, found in zip(parts, self._step(parts, counts, share, figures), strict=True):
                    losses[part.indices] = found
                before += tokens
        self.model.network.eval()  # type: ignore[no-untyped-call]
        return Pass(losses=np.sum(self._ranks.each(losses), axis=0), figures=Figures.added(self._ranks.each(figures.sums)))

    def _passes(self, lengths: Sequence[int], chunk: list[int]) -> list[list[int]]:
        """The passes of a step that are this rank's: a share of its examples, in micro-batches; as many as other ranks have, some empty."""
        micro, count = self.training.micro_tokens, self._ranks.count
        shares = [chunk[number::count] for number in range(count)]
        passes = [runs_within(lengths, share, micro) if micro else [share] for share in shares]
        own = passes[self._ranks.number]
        return own + [[]] * (max(map(len, passes)) - len(own))

    def _part(self, examples: Sequence[Encoded], indices: list[int], capabilities: Sequence[int], outcomes: Outcomes, *, own: bool) -> Part:
        """These of the examples, with what is known of them before the first step of the pass.

        Without any it is the first example, counted nothing: all ranks compute together.
        """
        counted, indices = bool(indices), indices or [0]
        taught = [examples[index] for index in indices]
        given = self._given(outcomes, indices)
        if own:
            given["old_logprob"] = self._own_log_probabilities(taught)
        kinds = [capabilities[index] for index in indices]
        return Part(indices=indices if counted else [], examples=taught, capabilities=kinds, given=given)

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

    def _step(self, parts: Sequence[Part], counts: tuple[float, float], progress: float, figures: Figures) -> list[npt.NDArray[np.float64]]:
        """One optimiser step on all parts together, of `counts` labels and sequences on all ranks; the losses of each one's examples."""
        done = [self._backward(part, *counts, progress) for part in parts]
        gradients = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self._ranks.count > 1:
            norm = norm.full_tensor()  # type: ignore[attr-defined]
        # the one transfer of a step: all losses, the figures and the norm
        told = [torch.cat([loss.tokens.double(), *(each.double() for each in sums_of(loss))]) for _, loss in done]
        *values, norm_value = torch.cat([*told, norm.reshape(1).double()]).tolist()
        each_part = [values[end - len(part) : end] for part, end in zip(told, np.cumsum([len(part) for part in told]), strict=True)]
        halves = [(found[: len(batch.labels)], found[len(batch.labels) :]) for (batch, _), found in zip(done, each_part, strict=True)]
        finite = math.isfinite(norm_value) and all(math.isfinite(sum(tokens)) for tokens, _ in halves)
        odd = "" if finite and all(math.isfinite(sum(sums)) for _, sums in halves) else _FIGURE if finite else _LOSS
        if odd := next(filter(None, self._ranks.each(odd)), ""):
            self._optimizer.zero_grad()
            raise TrialFailure(f"optimiser step {self.steps_done() + 1}: {odd} is not finite")
        losses = []
        for part, (batch, loss), (tokens, sums) in zip(parts, done, halves, strict=True):
            if part.indices:
                figures.add(loss.figures, sums)
            losses.append(np.add.reduceat(np.array(tokens), batch.starts)[: len(part.indices)])
        if norm_value > self.training.clip_norm:
            torch._foreach_mul_(gradients, self.training.clip_norm / norm_value)
        for group in self._optimizer.param_groups:
            group["lr"] = self.training.learning_rate_at(progress)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return losses

    def _backward(self, part: Part, labels: float, sequences: float, progress: float) -> tuple[batches.Batch, Loss]:
        """Adds a part's share to the gradient; `labels` and `sequences` are those of the whole step."""
        batch = collate(part.examples, self.model.device)
        try:
            loss = self._objective.loss(
                Batch(
                    logits=self.model.label_logits(batch),
                    labels=batch.labels,
                    sequence=torch.from_numpy(rows_of_labels(batch)).to(self.model.device),
                    normaliser=labels,
                    sequences=sequences,
                    max_new_tokens=self._max_new_tokens,
                    progress=min(progress, 1.0),
                    teacher_logits=None if self._teacher is None else self._teacher(batch, part.capabilities),
                    **part.given,
                )
            )
            times = self._ranks.count if part.indices else 0  # the ranks' gradients are averaged, where their sum is meant
            (loss.value if times == 1 else loss.value * times).backward()  # type: ignore[no-untyped-call]
        except torch.OutOfMemoryError as error:
            size = batch.inputs.numel()
            hint = f"set training.micro_tokens to {max(size // 2, 1)} or less: the step is the same, in parts"
            raise SurroundingError(f"the device has too little memory for a pass over {size} tokens", hint=hint) from error
        return batch, loss

    def steps_done(self) -> int:
        """Optimiser steps since the student was untrained."""
        first = next(iter(self._parameters.values()))
        return int(self._optimizer.state[first]["step"])

    def state(self) -> dict[str, torch.Tensor]:
        """Weights, moments and step counters, flat, on the CPU, sharing no memory: everything that training changes."""
        state = {}
        for name, parameter in self._parameters.items():
            for kind, tensor in (("weight", parameter), *tensors_of(self._optimizer, parameter).items()):
                state[f"{kind}:{name}"] = _whole(tensor.detach()).to("cpu", copy=True).contiguous()
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Takes back what `state` returned, bit for bit; of several ranks, what it returned on rank 0, and the others give nothing.

        ValueError where the tensors are not this model's.
        """
        expected = self.state()
        fits = state.keys() == expected.keys() and all(state[key].shape == expected[key].shape for key in expected)
        if not self._ranks.agree(fits):
            raise ValueError("the state is of another model")
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                if self._ranks.count > 1:
                    from readbench.models.sharded import fill

                    for kind, tensor in (("weight", parameter), *tensors_of(self._optimizer, parameter).items()):
                        fill(tensor, state.get(f"{kind}:{name}"), self._ranks)
                    continue
                parameter.copy_(state[f"weight:{name}"])
                kinds = self._optimizer.state[parameter]
                take_back(self._optimizer, parameter, {kind: state[f"{kind}:{name}"] for kind in kinds})


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor, also where it is shared out among ranks."""
    found: torch.Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return found


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout from `seed`; the global generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        yield
