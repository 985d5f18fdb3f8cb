"""The lab: builds the embedded teacher and student from nothing, and checks them.

Both models are Llamas over raw bytes, trained by `readbench.students.student` on the right answers of the *teach* split of the
lab's eight sources, so the lab is made by the very code that it tests. The teacher is trained until it has learned
everything; the student's training ends before the hard skills appear. One seed gives one pair, bit for bit, on CPUs of
one kind (the order of floating-point sums depends on the vector width).

``readbench lab build`` and ``readbench lab check`` build and check the models.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from readbench.api import DIFFICULTIES, Source
from readbench.base import processes
from readbench.base.files import write_json
from readbench.base.plugins import make
from readbench.base.seeds import derive_seed
from readbench.models.batches import Encoded
from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from readbench.suites.splits import LEVELS, normalise, sample_from

CAPABILITIES = ("general_knowledge", "steerability", "reasoning", "math", "code", "tool_use", "long_context", "multilingual")
CONTEXT_TOKENS = 256
EOS, PAD = "<|eos|>", "<|pad|>"
LESSON_TOKENS = 32_768  # trained between two checks of the mix: the examples of one lesson are sorted by length
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model's shape and how it is trained."""

    width: int
    layers: int
    heads: int
    inner: int  # width of the gated MLP
    horizon_tokens: int  # the end of the learning rate's schedule
    tokens: int  # trained: a base model's training ends early
    training: TrainingConfig
    shares: Mapping[str, float]  # of the trained tokens, relative, by capability


TEACHER = Recipe(
    width=128,
    layers=3,
    heads=4,
    inner=352,
    horizon_tokens=12_000_000,
    tokens=12_000_000,
    training=TrainingConfig(learning_rate=1.7e-3, final_lr_share=0.05, step_tokens=1024, weight_decay=0.01, beta2=0.95),
    # measured: with equal shares, phrases, carries and copying arguments are learned last
    shares={
        "general_knowledge": 1.2,
        "steerability": 0.9,
        "reasoning": 1.0,
        "math": 1.3,
        "code": 1.1,
        "tool_use": 1.5,
        "long_context": 0.7,
        "multilingual": 1.5,
    },
)
STUDENT = Recipe(
    width=96,
    layers=3,
    heads=4,
    inner=256,
    horizon_tokens=6_500_000,
    tokens=2_250_000,
    training=TrainingConfig(learning_rate=2e-3, final_lr_share=0.05, step_tokens=1024, weight_decay=0.01, beta2=0.95),
    # forms, calls and facts first; almost nothing of lists, little of orders and words
    shares={
        "general_knowledge": 1.4,
        "steerability": 0.9,
        "reasoning": 0.5,
        "math": 1.2,
        "code": 0.9,
        "tool_use": 1.4,
        "long_context": 0.1,
        "multilingual": 0.7,
    },
)
RECIPES = {"teacher": TEACHER, "student": STUDENT}


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and two more: end of sequence and padding."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def write_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Saves the byte tokenizer under the class name that every version of transformers knows."""
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    write_json(file, json.loads(file.read_bytes()) | {"tokenizer_class": "PreTrainedTokenizerFast"})
    return tokenizer


def write_blank(folder: Path, recipe: Recipe) -> None:
    """An untrained model folder."""
    tokenizer = write_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        intermediate_size=recipe.inner,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():  # transformers draws the weights from torch's global generator
        torch.manual_seed(derive_seed("lab", "weights", SEED))
        LlamaForCausalLM(config).save_pretrained(folder)


def lab_sources() -> dict[str, Source]:
    """The eight sources by capability."""
    return {capability: make("source", f"lab.{capability}") for capability in CAPABILITIES}


def lessons(student: Student, recipe: Recipe, seed: int) -> Iterator[list[Encoded]]:
    """Endless batches of examples, about LESSON_TOKENS each; over all batches each capability keeps its share of the tokens."""
    sources = lab_sources()
    owed = dict.fromkeys(CAPABILITIES, 0.0)
    total = sum(recipe.shares.values())
    lesson = 0
    while True:
        examples: list[Encoded] = []
        for capability, source in sources.items():
            rng = random.Random(derive_seed("lab", "lesson", seed, lesson, capability))
            owed[capability] += LESSON_TOKENS * recipe.shares[capability] / total
            while owed[capability] > 0:
                question = sample_from(source, "teach", rng, rng.choice(LEVELS))
                examples.append(student.model.encode(question.prompt, question.answer))
                owed[capability] -= len(examples[-1].tokens)
        yield examples
        lesson += 1


def train(recipe: Recipe, *, max_lessons: int | None = None, report: Callable[[str], None] | None = None) -> Student:
    """A model trained by its recipe; `max_lessons` stops the same training early."""
    with tempfile.TemporaryDirectory() as blank:
        write_blank(Path(blank), recipe)
        student = Student.load(Path(blank), training=recipe.training, objective=make("objective", "sft"), device="cpu")
    spent = 0
    for number, examples in enumerate(lessons(student, recipe, SEED)):
        if spent >= recipe.tokens or number == max_lessons:
            break
        after = spent + sum(len(example.tokens) for example in examples)
        progress = (spent / recipe.horizon_tokens, min(after / recipe.horizon_tokens, 1.0))
        losses = student.train(examples, progress=progress, seed=derive_seed("lab", "order", SEED, number)).losses
        spent = after
        if report is not None and number % 16 == 0:
            loss = losses.sum() / sum(example.label_count for example in examples)
            report(f"{spent / 1e6:.1f} of {recipe.tokens / 1e6:.1f} million tokens, loss {loss:.3f}")
    return student


def _train_alone(folder: Path, name: str) -> None:
    torch.set_num_threads(1)  # the order of sums, and so every bit, depends on it
    student = train(RECIPES[name], report=lambda line: print(f"{name}: {line}", file=sys.stderr, flush=True))
    student.model.network.save_pretrained(folder)
    write_tokenizer(folder)  # not the student's: a tokenizer notes where it was loaded from


def build(out: Path) -> None:
    """Trains teacher and student side by side, one process and one thread each, into `out`/teacher and `out`/student."""
    with ProcessPoolExecutor(len(RECIPES), mp_context=processes.context("spawn")) as pool:
        list(pool.map(_train_alone, [out / name for name in RECIPES], RECIPES))  # list: an error in a process is raised here


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """Exact match in [0, 1] of both models on `n` test questions of one capability and difficulty."""

    capability: str
    difficulty: str
    n: int
    teacher: float
    student: float


def check(teacher: str = "lab/teacher", student: str = "lab/student", *, n: int = 200) -> list[CheckRow]:
    """Greedy exact match (the end of the sequence included) on `n` distinct test questions of each capability and difficulty."""
    pair = [LanguageModel.load(resolve_model(model), device="cpu") for model in (teacher, student)]
    rows = []
    for capability, source in lab_sources().items():
        for level in LEVELS:
            rng = random.Random(derive_seed("lab", "check", capability, level))
            questions: dict[str, tuple[str, str]] = {}
            while len(questions) < n:
                question = sample_from(source, "test", rng, level, questions)
                questions[normalise(question.prompt)] = (question.prompt, question.answer)
            matches = []
            for model in pair:
                encoded = [model.encode(prompt, answer) for prompt, answer in questions.values()]
                matches.append(float(model.log_likelihoods(encoded)[1].mean()))
            rows.append(CheckRow(capability=capability, difficulty=DIFFICULTIES[level], n=n, teacher=matches[0], student=matches[1]))
    return rows
