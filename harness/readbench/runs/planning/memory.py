"""The memory that a trial will need, by part, before it starts. Torch-free.

What a part rests on: weights, gradients and moments are counted from the shapes of the student's tensors. The activations that a layer
keeps for the backward pass were measured, by what autograd saves, for the family of Llama (gated MLP, RMS norms, rotary positions); no
other family's are forecast.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from readbench.api import Question
from readbench.base.errors import ConfigError, SurroundingError
from readbench.models.counting import open_counter
from readbench.models.folder import base_of, read_config
from readbench.models.lean.cpu import has_bfloat16
from readbench.models.loading.adapters import ALL_LINEAR, check_targets
from readbench.models.loading.adapters import check_installed as check_peft
from readbench.models.loading.headers import Shape, num_parameters, shapes
from readbench.models.ranks import placed
from readbench.models.writing.limits import BATCH_ROWS, BATCH_TOKENS
from readbench.students.needs import check_optimizer
from readbench.students.schedule import LoraConfig, TrainingConfig

_FP32, _BF16, _BYTE = 4, 2, 1
_GATED = ("llama", "mistral", "qwen2", "qwen3")  # families whose activations were measured
# bytes a token and layer that autograd saves, a unit of: intermediate width, hidden width, width of the keys
_SAVED = {"float32": (16, 32, 8), "bfloat16": (8, 30, 4)}
_LOGIT_BYTES = {"float32": 12, "bfloat16": 16}  # a logit, its log-softmax and its gradient in fp32; and both in bf16


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that takes memory."""

    name: str
    size: int | None  # bytes; None where it cannot be told
    of: str  # what it rests on


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one trial needs on its device at the same time, at most."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of the parts that can be told."""
        return sum(part.size or 0 for part in self.parts)


def check_training(student: Path, training: TrainingConfig, questions: Sequence[Question], *, executor: str, on_gpu: bool) -> None:
    """ConfigError where a library is missing, an adapter's target is no matrix of the student, or ranks cannot share the training."""
    check_optimizer(training.optimizer)
    if training.products == "bfloat16" and on_gpu:
        raise ConfigError("training.products is for CPUs", hint="drop it: a GPU multiplies in bfloat16 as it is")
    if training.products == "bfloat16" and not has_bfloat16():
        raise SurroundingError("this CPU has no instructions for bfloat16 products", hint="set training.products to float32")
    _, ranks = placed()
    if ranks > 1 and executor == "ray":
        raise ConfigError("several ranks train one student together, and executor ray is another way", hint="start it without torchrun")
    if ranks > 1:
        _check_ranks(ranks, student, training, questions)
    if training.lora.rank:
        check_peft()
        check_targets([name for name, shape in shapes(student).items() if len(shape) == 2], training.lora.target_names)


def _check_ranks(ranks: int, student: Path, training: TrainingConfig, questions: Sequence[Question]) -> None:
    """ConfigError for what several ranks do not do, and for steps that do not divide among them."""
    alone = {"lora.rank": training.lora.rank > 0, "optimizer": training.optimizer != "adamw", "compile": training.compile}
    if refused := next((name for name, is_set in alone.items() if is_set), ""):
        raise ConfigError(f"training.{refused} is for one rank, and torchrun started {ranks}", hint="drop it, or start one process")
    count = open_counter(student).count
    longest = float(np.mean([count(question.prompt) + count(question.answer) + 2 for question in questions]))
    examples = int(training.step_tokens / longest)
    if examples < ranks:
        raise ConfigError(
            f"an optimiser step of {training.step_tokens} tokens has about {examples} examples, which do not divide among {ranks} ranks",
            hint=f"set training.step_tokens to {math.ceil(ranks * longest)} or more, or start fewer ranks",
        )


def forecast_memory(
    student: Path,
    training: TrainingConfig,
    *,
    questions: Sequence[Question],
    max_new_tokens: int,
    on_gpu: bool,
    teachers: Sequence[Path] = (),
) -> Memory:
    """What a trial needs by part: together at most, since a step and the student's answers are not computed at the same time."""
    each, lora = shapes(student), training.lora
    whole, adapter = num_parameters(student), _adapter_parameters(each, lora)
    held = _FP32 if training.weights == "float32" else _BF16
    copies = whole * _BF16 if on_gpu and held == _FP32 else 0  # that autocast multiplies with
    trained, width = (adapter, _FP32) if lora.rank else (whole, held)
    moment = _BYTE if training.optimizer == "adamw-8bit" else width
    computed = "bfloat16" if on_gpu or held == _BF16 else "float32"
    tokens = training.micro_tokens or training.step_tokens
    parts = [
        Part(name="weights", size=whole * held + adapter * _FP32, of=f"{whole} parameters in {training.weights}"),
        Part(name="gradients", size=trained * width, of=f"{trained} trained parameters"),
        Part(name="moments", size=2 * trained * moment, of=f"{training.optimizer}, two of {moment} bytes a trained parameter"),
    ]
    if copies:
        parts.append(Part(name="copies of the weights", size=copies, of="bfloat16, while a step computes"))
    parts += _training_parts(student, training, tokens, computed, questions)
    parts.append(_cache(student, computed, questions, max_new_tokens))
    if teachers:
        sizes = sum(_teacher_bytes(teacher, on_gpu=on_gpu) for teacher in teachers)
        parts.append(Part(name="teacher", size=sizes, of="as saved" if on_gpu else "in float32"))
    return Memory(parts=tuple(parts))


def _teacher_bytes(teacher: Path, *, on_gpu: bool) -> int:
    return sum(file.stat().st_size for file in base_of(teacher).glob("*.safetensors")) if on_gpu else num_parameters(teacher) * _FP32


def _adapter_parameters(each: dict[str, Shape], lora: LoraConfig) -> int:
    """Numbers in an adapter: `rank` times both sides of every target."""
    if not lora.rank:
        return 0
    names = lora.target_names
    total = 0
    for name, shape in each.items():
        module = name.removesuffix(".weight").rpartition(".")[2]
        is_target = module not in ("embed_tokens", "lm_head", "wte", "wpe") if names == ALL_LINEAR else module in names
        if len(shape) == 2 and is_target:
            total += lora.rank * sum(shape)
    return total


def _training_parts(student: Path, training: TrainingConfig, tokens: int, computed: str, questions: Sequence[Question]) -> list[Part]:
    """Activations of a pass, and its logits."""
    config, size = read_config(base_of(student)), None
    family = str(config["model_type"])
    if family in _GATED and (widths := _widths(config)) is not None:
        per_inner, per_hidden, per_key = _SAVED[computed]
        layer = per_inner * widths.inner + per_hidden * widths.hidden + per_key * widths.key
        size = tokens * (widths.layers * widths.hidden * _FP32 + layer if training.checkpointing else widths.layers * layer)
    count = open_counter(student).count
    labels = np.array([count(question.answer) + 1 for question in questions])
    prompts = np.array([count(question.prompt) + 1 for question in questions])
    share = float(labels.sum() / (labels.sum() + prompts.sum()))
    vocabulary = config.get("vocab_size")
    return [
        Part(
            name="activations",
            size=size,
            of=f"{tokens} tokens a pass{', computed again' if training.checkpointing else ''}"
            if size is not None
            else f"not known of {family}",
        ),
        Part(
            name="logits",
            size=math.ceil(tokens * share) * vocabulary * _LOGIT_BYTES[computed] if type(vocabulary) is int else None,
            of=f"{share:.0%} of the tokens are labels, {vocabulary} logits each",
        ),
    ]


def _cache(student: Path, computed: str, questions: Sequence[Question], max_new_tokens: int) -> Part:
    """Keys and values of the answers that are written together."""
    config = read_config(base_of(student))
    widths = _widths(config)
    if widths is None:
        return Part(name="cache", size=None, of=f"not known of {config['model_type']}")
    count = open_counter(student).count
    length = max(count(question.prompt) + 1 for question in questions) + max_new_tokens
    rows = min(BATCH_ROWS, max(BATCH_TOKENS // length, 1))
    size = rows * length * widths.layers * 2 * widths.key * (_BF16 if computed == "bfloat16" else _FP32)
    return Part(name="cache", size=size, of=f"{rows} answers at once, of up to {length} tokens with their prompts")


class _Widths(NamedTuple):
    """Numbers of a token in a layer."""

    layers: int
    hidden: int
    inner: int  # between gate and down
    key: int  # in the keys of all heads


def _widths(config: Mapping[str, Any]) -> _Widths | None:
    """What a config says in the words of Llama; None if it does not."""
    heads, hidden, layers = (config.get(key) for key in ("num_attention_heads", "hidden_size", "num_hidden_layers"))
    if not (type(heads) is int and type(hidden) is int and type(layers) is int) or heads < 1:
        return None
    inner = config.get("intermediate_size")
    width = config.get("head_dim") or hidden // heads
    return _Widths(layers, hidden, inner if type(inner) is int else 4 * hidden, int((config.get("num_key_value_heads") or heads) * width))
