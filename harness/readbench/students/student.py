"""The student: any causal language model that is trained on examples and scored on answers.

What makes it fast, and why the result is the same:

- Inputs are padded on the right and there is no attention mask: in a causal model a token sees only what stands before it,
  so that padding cannot reach a real token, and sdpa runs its causal kernel.
- Logits are computed at label positions only (a prompt has none), through the base model and its output head, where that
  equals the full forward bit for bit (checked on load: softcaps and logit scales fail the check); else through the full forward.
- The last token of an example is only a label, never an input.
- Examples are sorted by length and cut into steps of about `step_tokens` (`readbench.students.schedule`): little padding.

On CUDA the forward runs in bf16 autocast over fp32 master weights. Given the same calls the CPU gives the same bits.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from readbench.api import Objective, Question, Response
from readbench.base.errors import ConfigError, TrialFailure
from readbench.models import folder
from readbench.models.generation import Greedy
from readbench.models.lean.llama import LONGEST, lean_llama
from readbench.models.memory import keep_freed_memory
from readbench.models.text import render, response_ids
from readbench.students.schedule import TrainingConfig, chunks_by_length, shuffled

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_SCORE_TOKENS = 4096  # of one forward pass without gradients


@dataclass(frozen=True)
class Encoded:
    """An example as tokens; the labels are ``tokens[prompt_length:]``, EOS included where the response is finished."""

    tokens: tuple[int, ...]
    prompt_length: int

    @property
    def label_count(self) -> int:
        """Number of label tokens."""
        return len(self.tokens) - self.prompt_length


@dataclass(frozen=True)
class _Batch:
    """Rows padded on the right. B rows of L inputs, N label tokens in row order."""

    inputs: torch.Tensor  # (B, L) int64
    positions: torch.Tensor  # (N,) int64 into the flattened (B·L) inputs: where the label tokens are predicted
    labels: torch.Tensor  # (N,) int64
    starts: npt.NDArray[np.int64]  # (B,) index of each row's first label


class Student:
    """A model, its tokenizer, its optimiser. Not shared between threads."""

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        *,
        context: int,
        training: TrainingConfig,
        objective: Objective,
        device: str,
    ) -> None:
        keep_freed_memory()
        self.model = model
        self.tokenizer = tokenizer
        self.device = torch.device(device)
        self.training = training
        self.autocast = self.device.type == "cuda"
        self._context = context
        self._objective = objective
        self._parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}  # tied ones once
        self._optimizer = _optimizer(list(self._parameters.values()), training)
        self._logits_at = _logits_at(model)
        self._lean = lean_llama(model)

    @classmethod
    def load(cls, path: Path, *, training: TrainingConfig, objective: Objective, device: str) -> "Student":
        """A student from a model folder, untrained: moments zero, step 0."""
        return cls(
            folder.load_causal_lm(path, device),
            folder.load_tokenizer(path),
            context=folder.context_length(path),
            training=training,
            objective=objective,
            device=device,
        )

    def encode(self, prompt: str, response: str, *, finished: bool = True) -> Encoded:
        """The example's tokens; ConfigError where they do not fit the student's context or the response has no label token."""
        prompt_ids = render(self.tokenizer, prompt)
        label_ids = response_ids(self.tokenizer, response, finished=finished)
        length = len(prompt_ids) + len(label_ids)
        if length > self._context:
            raise ConfigError(
                f"an example has {len(prompt_ids)} + {len(label_ids)} tokens, the student's context {self._context}",
                hint="use shorter prompts, a smaller max_new_tokens, or a student with a longer context",
            )
        if not prompt_ids or not label_ids:
            raise ConfigError("an example has an empty prompt or an empty, unfinished response", hint="check the teacher and the prompts")
        return Encoded((*prompt_ids, *label_ids), len(prompt_ids))

    def answer(self, questions: Sequence[Question], *, max_new_tokens: int) -> list[Response]:
        """Greedy answers as the student is now, cut where its context ends; ConfigError where a prompt alone fills it."""
        rendered = [tuple(render(self.tokenizer, question.prompt)) for question in questions]
        room = self._context - max(map(len, rendered))
        if room < 1:
            raise ConfigError(f"a prompt fills the student's context of {self._context} tokens", hint="use shorter prompts")
        return Greedy(self.model, self.tokenizer).respond(rendered, max_new_tokens=min(max_new_tokens, room))

    def train(self, examples: Sequence[Encoded], *, progress: tuple[float, float], seed: int) -> npt.NDArray[np.float64]:
        """One pass over the examples; `progress` = share of the budget spent before and after it.

        Returns (N,) nats: the sum over label tokens of each example's loss, before the step that it takes part in.
        TrialFailure where a loss or gradient is not finite: the weights are then those before that step.
        """
        losses = np.zeros(len(examples))
        if not examples:
            return losses
        lengths = [len(example.tokens) for example in examples]
        total, before = sum(lengths), 0
        self.model.train()
        with _seeded(seed, self.device):  # for students with dropout
            for chunk in shuffled(chunks_by_length(lengths, self.training.step_tokens), seed):
                tokens = sum(lengths[index] for index in chunk)
                share = progress[0] + (progress[1] - progress[0]) * (before + tokens / 2) / total
                losses[chunk] = self._step([examples[index] for index in chunk], self.training.learning_rate_at(share))
                before += tokens
        self.model.eval()  # type: ignore[no-untyped-call]
        return losses

    def _step(self, examples: Sequence[Encoded], learning_rate: float) -> npt.NDArray[np.float64]:
        batch = self._collate(examples)
        token_losses = self._objective.token_losses(self._label_logits(batch), batch.labels)
        (token_losses.sum() / len(token_losses)).backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # the one transfer of a step: all losses and the norm
        *values, norm_value = torch.cat((token_losses.detach(), norm.reshape(1))).double().tolist()
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

    def log_likelihoods(self, examples: Sequence[Encoded]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """(N,) summed log-probability of the labels in nats, and (N,) whether every label is the most likely token (greedy).

        The batches depend on the examples' lengths alone, so that the same call gives the same bits.
        """
        log_likelihood = np.zeros(len(examples))
        greedy = np.zeros(len(examples), dtype=np.bool_)
        if not examples:
            return log_likelihood, greedy
        with torch.inference_mode():
            for chunk in chunks_by_length([len(example.tokens) for example in examples], _SCORE_TOKENS):
                batch = self._collate([examples[index] for index in chunk])
                logits = self._label_logits(batch)
                chosen = logits.gather(1, batch.labels[:, None]).squeeze(1) - logits.logsumexp(1)
                hits = logits.argmax(1) == batch.labels
                log_likelihood[chunk] = np.add.reduceat(chosen.double().cpu().numpy(), batch.starts)
                greedy[chunk] = np.logical_and.reduceat(hits.cpu().numpy(), batch.starts)
        return log_likelihood, greedy

    def _collate(self, examples: Sequence[Encoded]) -> _Batch:
        width = max(len(example.tokens) for example in examples) - 1
        inputs = np.zeros((len(examples), width), dtype=np.int64)  # padding is token 0: never seen, see above
        positions, labels = [], []
        for row, example in enumerate(examples):
            inputs[row, : len(example.tokens) - 1] = example.tokens[:-1]
            positions.append(np.arange(example.prompt_length - 1, len(example.tokens) - 1) + row * width)
            labels.append(example.tokens[example.prompt_length :])
        starts = np.cumsum([0, *(len(label) for label in labels[:-1])])
        return _Batch(
            torch.from_numpy(inputs).to(self.device),
            torch.from_numpy(np.concatenate(positions)).to(self.device),
            torch.from_numpy(np.concatenate(labels)).to(self.device),
            starts,
        )

    def _label_logits(self, batch: _Batch) -> torch.Tensor:
        if self._lean is not None and not self.autocast and batch.inputs.shape[1] <= LONGEST:
            return self._lean(batch.inputs, batch.positions)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            return self._logits_at(batch.inputs, batch.positions).float()

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

    def save_pretrained(self, folder: Path) -> None:
        """The model and its tokenizer, loadable by AutoModelForCausalLM and AutoTokenizer."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


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


def _logits_at(model: "PreTrainedModel") -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """(inputs (B, L), positions (N,)) → logits (N, V): through base model and head where that equals the full forward."""
    base, head = model.base_model, model.get_output_embeddings()  # type: ignore[no-untyped-call]

    def full(inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return model(input_ids=inputs, use_cache=False).logits.flatten(0, 1).index_select(0, positions)  # type: ignore[no-any-return]

    def fast(inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        hidden = base(input_ids=inputs, use_cache=False)[0].flatten(0, 1)
        return head(hidden.index_select(0, positions))  # type: ignore[no-any-return]

    if base is model or head is None:
        return full
    inputs = torch.arange(8, device=model.device).reshape(2, 4) % model.config.get_text_config().vocab_size
    positions = torch.arange(8, device=model.device)
    with torch.inference_mode():
        return fast if torch.equal(fast(inputs, positions), full(inputs, positions)) else full


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout from `seed`; the global generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        yield
