"""What a run will need, before it starts: tokens an example, seconds a run, and whether it fits its models. Torch-free; takes a second."""

import random
import time
from pathlib import Path

import numpy as np

from readbench.api import Difficulty, Question, Rollouts, Teacher
from readbench.base.errors import ConfigError
from readbench.base.hashing import json_hash
from readbench.models.counting import open_counter, vocabulary
from readbench.models.folder import context_length, resolve_tokenizer
from readbench.models.loading.headers import num_parameters
from readbench.students.needs import dearest_group
from readbench.suites.suite import Suite

_SAMPLES = 12  # questions a capability, a third of each difficulty
STARTUP_SECONDS = 6.0  # of a run on one machine: imports, loading and measuring the models
_EFFICIENCY = 0.23  # of the matmul limit, over a trial's whole time (teacher, probes and evaluation included)


def sample_questions(suite: Suite) -> list[Question]:
    """A few questions of every capability and difficulty."""
    levels: tuple[Difficulty, ...] = (0, 1, 2)
    rng = random.Random(0)
    return [source.sample(rng, levels[n % 3]) for source in suite.sources() for n in range(_SAMPLES)]


def questions_hash(suite: Suite) -> str:
    """The hash of sampled questions: shows whether a suite's sources, which may be code, still ask the same."""
    return json_hash([[question.prompt, question.answer] for question in sample_questions(suite)])


def mean_example_tokens(suite: Suite, student: Path) -> float:
    """Tokens that an average example charges; ConfigError if a prompt does not fit the student's context."""
    count = open_counter(student).count
    context = context_length(student)
    costs = []
    for question in sample_questions(suite):
        prompt, answer = count(question.prompt) + 1, count(question.answer) + 1  # the prompt's line end, the answer's EOS
        if prompt + answer > context:
            raise ConfigError(
                f"a prompt of {prompt} tokens with its answer of {answer} does not fit the student's context of {context}",
                hint="use shorter prompts or a student with a longer context",
            )
        costs.append(prompt + 2 * answer)
    return float(np.mean(costs))


def check_room(suite: Suite, model: Path, whose: str, *, max_new_tokens: int) -> int:
    """Tokens of the longest sampled prompt; ConfigError if it and `max_new_tokens` new ones do not fit the model's context."""
    count = open_counter(model).count
    longest = max(count(question.prompt) + 1 for question in sample_questions(suite))
    context = context_length(model)
    if longest + max_new_tokens > context:
        raise ConfigError(
            f"a prompt has {longest} tokens, and {max_new_tokens} new ones do not fit the {whose}'s context of {context}",
            hint=f"use shorter prompts, a smaller max_new_tokens, or a {whose} with a longer context",
        )
    return longest


def check_micro_batches(suite: Suite, student: Path, *, micro_tokens: int, max_new_tokens: int) -> None:
    """ConfigError if an example of a sampled prompt might not fit a micro-batch; 0 tokens: there are none."""
    if micro_tokens == 0:
        return
    longest = max_new_tokens + max(open_counter(student).count(question.prompt) + 1 for question in sample_questions(suite))
    if micro_tokens < longest:
        raise ConfigError(
            f"training.micro_tokens is {micro_tokens}, and an example may have {longest} tokens",
            hint=f"set it to {longest} or more, or to 0",
        )


def check_rollouts(suite: Suite, student: Path, rollouts: Rollouts, *, interval_tokens: int, max_new_tokens: int, readers: int) -> None:
    """ConfigError if the student's own answers to a sampled prompt might not fit its context, or a group of them an interval."""
    hinted = 2 * max_new_tokens if rollouts.hint else max_new_tokens  # beside the prompt: the teacher's answer, and the student's
    longest = check_room(suite, student, "student", max_new_tokens=hinted)
    dearest = dearest_group(longest, max_new_tokens, rollouts, readers=readers)
    if dearest > interval_tokens:
        raise ConfigError(
            f"{rollouts.group_size} answers to a prompt may cost {dearest} tokens, an interval (or a pilot) has {interval_tokens}",
            hint="give a larger --budget, fewer --intervals, a smaller max_new_tokens or group_size",
        )


def check_readable(
    objective: str, needs: frozenset[str], temperature: float, teacher: Path | Teacher, student: Path, *, called: str
) -> None:
    """ConfigError unless the teacher (a local model's folder, or another kind) gives what the objective reads, in the student's tokens."""
    scorer = "" if isinstance(teacher, Path) else getattr(teacher, "scoring_tokenizer", str)()
    whole = "teacher_logits" in needs
    if not isinstance(teacher, Path) and (whole or not scorer):
        raise ConfigError(
            f"objective {objective} needs the teacher's {'logits' if whole else 'log-probabilities'}, and {called} gives none",
            hint="take a local --teacher, or --objective sft"
            if whole
            else "take a local --teacher, or set params.teacher.openai.scores to vllm or sglang where the endpoint is one",
        )
    if scorer and temperature != 1.0:
        raise ConfigError(
            f"objective {objective} reads at temperature {temperature:g}, and endpoints give log-probabilities at temperature 1",
            hint=f"set params.objective.{objective}.temperature to 1, or take a local --teacher",
        )
    if vocabulary(teacher if isinstance(teacher, Path) else resolve_tokenizer(scorer)) != vocabulary(student):
        raise ConfigError(
            f"objective {objective} compares teacher and student token by token, and they have different vocabularies",
            hint="take a teacher of the student's family, or --objective sft",
        )


def estimate_seconds(tokens: int, student: Path, workers: int) -> float:
    """About how long it takes to charge that many tokens: 6 FLOP a parameter and token, at a share of this machine's matmul speed."""
    return STARTUP_SECONDS + tokens * 6 * num_parameters(student) / (_EFFICIENCY * _matmul_flops()) / workers


def _matmul_flops() -> float:
    """FLOP/s of one fp32 matrix product, best of three."""
    a = np.ones((512, 512), dtype=np.float32)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2 * 512**3 / min(seconds)
