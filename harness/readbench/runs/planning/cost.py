"""What a grid will take on given hardware: tokens by kind, device hours, storage, wall clock. Torch-free.

Tokens come from the plan: what a budget buys at the mean length of the suite's questions, and what is measured beside it. Rates come from a
device's peak and an assumed share of it, at 6 floating-point operations a parameter and token for training (8 where activations are
computed again) and 2 for reading and writing (Kaplan et al. 2020, arXiv 2001.08361, section 2.1); or from a run that was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from readbench.base.errors import ConfigError, near_match
from readbench.models.counting import open_counter
from readbench.models.folder import resolve_model
from readbench.models.loading.headers import num_parameters
from readbench.runs.config import Resolved
from readbench.runs.plan import Plan
from readbench.runs.planning.estimate import STARTUP_SECONDS, sample_questions
from readbench.students.schedule import TrainingConfig
from readbench.suites.suite import Suite
from readbench.teachers.spend.forecast import Training, shared
from readbench.trials.spec import TrialSpec

KINDS = ("generated", "trained", "scored", "rollout", "probe", "eval")  # probe: the dev questions too
# Peak FLOP/s of dense bf16 products, by the makers' data sheets.
DEVICES: Mapping[str, float] = {
    "a100": 312e12,
    "h100": 989e12,
    "h200": 989e12,
    "l40s": 362e12,
    "rtx4090": 165e12,
}
# Assumed shares of the peak: training and reading in large batches; writing is bound by memory, here in batches of a hundred answers.
TRAINING_SHARE, READING_SHARE, WRITING_SHARE = 0.40, 0.50, 0.08
_BYTES_A_TOKEN = 4  # of text
_RECORD_BYTES = 300_000  # of a trial's database


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Tokens a second that one device does of each kind, and what a trial takes besides."""

    of: Mapping[str, float]
    rest: float  # seconds a trial
    source: str


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What a grid will take."""

    tokens: Mapping[str, int]  # by kind, of all trials and pilots; generated ones are the teacher's distinct answers
    hours: Mapping[str, float]  # of one device, by kind, and "rest"
    devices: int
    storage_bytes: int
    source: str  # of the rates

    @property
    def device_hours(self) -> float:
        """Of all kinds."""
        return sum(self.hours.values())

    @property
    def wall_seconds(self) -> float:
        """With all devices busy."""
        return STARTUP_SECONDS + 3600 * self.device_hours / self.devices

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "tokens": dict(self.tokens),
            "device_hours": {**self.hours, "all": self.device_hours},
            "devices": self.devices,
            "wall_seconds": self.wall_seconds,
            "storage_bytes": self.storage_bytes,
            "rates": self.source,
        }


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Mean tokens of a suite's questions."""

    prompt: float
    answer: float

    @classmethod
    def of(cls, suite: Suite, student: Path) -> "Lengths":
        """In the student's tokens."""
        count, questions = open_counter(student).count, sample_questions(suite)
        return cls(
            prompt=fmean(count(question.prompt) + 1 for question in questions),
            answer=fmean(count(question.answer) + 1 for question in questions),
        )

    @property
    def both(self) -> float:
        """Of a question with its answer."""
        return self.prompt + self.answer


def tokens_of(resolved: Resolved, planned: Plan) -> dict[str, int]:
    """The run's tokens by kind; the teacher writes once what trials of a seed share."""
    config, suite = resolved.config, resolved.suite
    lengths = Lengths.of(suite, resolve_model(config.student))
    every = [*planned.trials, *planned.pilots, *planned.profiling]
    trainings = {spec.id: Training(tokens=spec.budget_tokens, asked=planned.asked[spec.objective]) for spec in every}
    total = {kind: sum(_trained(trainings[spec.id], lengths)[kind] for spec in every) for kind in ("trained", "scored", "rollout")}
    alone = [trainings[spec.id].answers(lengths.prompt, lengths.answer) * lengths.answer for spec in every if not spec.tested]
    total["generated"] = sum(alone) + sum(_written(planned.trials, trainings, lengths, seed) for seed in config.seeds)
    total["probe"] = sum(_measured(spec, suite, lengths) for spec in every)
    total["eval"] = _tested(suite, resolve_model(config.student)) * len(planned.trials)
    return {kind: round(total[kind]) for kind in KINDS}


def _trained(training: Training, lengths: Lengths) -> dict[str, float]:
    """Tokens of one training that no other shares."""
    answers, own = training.answers(lengths.prompt, lengths.answer), training.asked.own
    found = {"trained": answers * lengths.both, "scored": training.reads(lengths.prompt, lengths.answer) * lengths.both, "rollout": 0.0}
    if own is not None:
        written = own.share * training.tokens / (lengths.answer + (1 + own.readers) * lengths.both)
        found["trained"] += written * lengths.both
        found["scored"] += written * own.readers * lengths.both
        found["rollout"] += written * lengths.answer
    return found


def _written(trials: Sequence[TrialSpec], trainings: Mapping[str, Training], lengths: Lengths, seed: int) -> float:
    """Tokens of a seed's distinct answers."""
    answers = [trainings[spec.id].answers(lengths.prompt, lengths.answer) for spec in trials if spec.seed == seed]
    return shared(answers) * lengths.answer


def _measured(spec: TrialSpec, suite: Suite, lengths: Lengths) -> float:
    """Tokens of a trial's probes and dev questions, before the first interval and after each."""
    probes = spec.num_probes * len(suite.capabilities) * (spec.num_intervals + 1)
    if suite.composition is not None:
        questions = sum(map(len, suite.composition.plan(spec.num_dev)))
    else:
        questions = spec.num_dev * int((suite.requirement > 0).sum())
    dev = questions * (1 - (-spec.num_intervals // spec.dev_every))
    return (probes + dev) * lengths.both


def _tested(suite: Suite, student: Path) -> float:
    """Tokens of the test set, each question with its answer."""
    count = open_counter(student).count
    questions, _ = suite.test_questions()
    return sum(count(question.prompt) + count(question.answer) + 2 for question in questions)


def rates_of(hardware: str, training: TrainingConfig, lengths: Lengths, *, student: float, teacher: float) -> Rates:
    """Those of a device by its name, for models of so many parameters; ConfigError for a device that is not listed.

    Writing an answer holds the reading of its prompt.
    """
    if hardware not in DEVICES:
        raise ConfigError(f"hardware {hardware!r} is not known", hint=f"{near_match(hardware, DEVICES)}; or give --like RUN")
    peak = DEVICES[hardware]
    reads = READING_SHARE * peak / 2
    of = {
        "generated": 1 / (2 * teacher / (WRITING_SHARE * peak) + lengths.prompt / lengths.answer * teacher / reads),
        "trained": TRAINING_SHARE * peak / ((8 if training.checkpointing else 6) * student),
        "scored": reads / teacher,
        "rollout": 1 / (2 * student / (WRITING_SHARE * peak) + lengths.prompt / lengths.answer * student / reads),
        "probe": reads / student,
        "eval": reads / student,
    }
    shares = f"{TRAINING_SHARE:.0%} of it in training, {READING_SHARE:.0%} in reading, {WRITING_SHARE:.0%} in writing"
    return Rates(of=of, rest=0.0, source=f"{hardware}: peak {peak / 1e12:g} TFLOP/s, assumed {shares}")


def bill(resolved: Resolved, planned: Plan, rates: Rates, *, devices: int, student: float) -> Bill:
    """What the planned run will take at these rates, on so many devices, with a student of so many parameters."""
    tokens = tokens_of(resolved, planned)
    trials = len(planned.trials) + len(planned.pilots) + len(planned.profiling)
    hours = {kind: count / rates.of[kind] / 3600 for kind, count in tokens.items() if count}
    width = 4 if resolved.config.training.weights == "float32" else 2
    kept = len(planned.trials) * (student * width + _RECORD_BYTES)
    under_way = min(devices, len(planned.trials)) * 3 * student * width  # a checkpoint each: weights and two moments
    return Bill(
        tokens=tokens,
        hours={**hours, "rest": rates.rest * trials / 3600},
        devices=devices,
        storage_bytes=round(kept + under_way + tokens["generated"] * _BYTES_A_TOKEN),
        source=rates.source,
    )


def parameters(model: str, given: float | None) -> float:
    """As given, or counted from the model's folder."""
    return given if given is not None else float(num_parameters(resolve_model(model)))
