"""What a run is going to spend at a paid teacher, said before it starts: from a sample of its questions, in the student's tokens.

Expected: trials of a seed share their prompts, so that a seed asks about as many as its largest trial buys, and a tenth of what
each further one buys (measured: 7,500 prompts a seed where a trial of five allocators buys 5,500). Pilots have seeds of their own and
share nothing. Worst: nothing is shared, every answer is empty (an example is cheapest then, so that most are bought), and every
attempt except the last is lost, each charged at its cap. A spend limit bounds both.

What the student writes itself is asked of nobody. Where the teacher scores it, each answer is a request of its own, which no other trial
shares: at worst every token that is scored is paid for in every attempt. Where prompts that no answer solves get a hint, every prompt is
taken for one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from readbench.api import Question
from readbench.models.counting import open_counter
from readbench.teachers.endpoint.settings import EndpointConfig, read_key
from readbench.teachers.spend.account import PaidTeacher
from readbench.teachers.spend.prices import Limit, spend_limit

_MORE_A_TRIAL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """So many requests and tokens."""

    requests: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Cost") -> "Cost":
        """Both."""
        return Cost(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


_NOTHING = Cost(requests=0, prompt_tokens=0, completion_tokens=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAnswers:
    """What the student writes itself."""

    share: float  # of a trial's tokens
    readers: int  # models that read each answer beside the student
    scored: bool  # whether the paid teacher is one of them
    group_size: int = 1  # answers to a prompt
    hinted: bool = False  # whether the teacher answers prompts that no answer solves, after which there are as many answers again


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an objective asks for besides the teacher's answers."""

    own: OwnAnswers | None = None  # what the student writes itself, if it does
    reads: bool = False  # whether the teacher reads its own answers too, to say how probable it held them


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A trial, or several alike that share nothing."""

    tokens: int  # that it may charge
    asked: Asked = Asked()

    @property
    def taught(self) -> float:
        """Tokens that answers of the teacher are charged."""
        return self.tokens * (1.0 if self.asked.own is None else 1.0 - self.asked.own.share)

    def answers(self, prompt: float, answer: float) -> float:
        """How many of them it buys, each of so many tokens: generated, trained, and perhaps read."""
        return self.taught / (prompt + 2 * answer + self.asked.reads * (prompt + answer))

    def reads(self, prompt: float, answer: float) -> float:
        """How many of them the teacher reads."""
        return self.answers(prompt, answer) if self.asked.reads else 0.0

    def hints(self, prompt: float, answer: float) -> float:
        """How many prompts the student answers twice, if every one needs a hint."""
        own = self.asked.own
        if own is None or not own.hinted:
            return 0.0
        return own.share * self.tokens / (answer + 2 * own.group_size * (answer + (1 + own.readers) * (prompt + answer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The forecast of a run."""

    expected: Cost
    worst: Cost
    limit: Limit

    def money(self, cost: Cost) -> str | None:
        """The cost in the price's currency; None where no price is known."""
        if self.limit.price is None:
            return None
        return f"{self.limit.price.of(cost.prompt_tokens, cost.completion_tokens):.2f} {self.limit.price.currency}"

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        costs = {
            name: {
                "requests": cost.requests,
                "prompt_tokens": cost.prompt_tokens,
                "completion_tokens": cost.completion_tokens,
                "money": self.money(cost),
            }
            for name, cost in (("expected", self.expected), ("worst", self.worst))
        }
        return {**costs, "limit": str(self.limit) if self.limit.is_set else None}


def forecast(
    questions: Sequence[Question],
    *,
    teacher: PaidTeacher,
    settings: EndpointConfig,
    student_path: Path,
    max_new_tokens: int,
    num_seeds: int,
    trials: Sequence[Training],
    pilots: Sequence[Training] = (),
) -> Forecast:
    """The forecast of these trials with each seed, and of pilots.

    They ask about questions like these; ConfigError where the settings fail.
    """
    read_key(settings.key_env)
    counter = open_counter(student_path)
    bare = fmean(counter.count(question.prompt) for question in questions)  # what a student is taught holds no system prompt
    prompt = bare + counter.count(teacher.system)
    answer = fmean(min(max_new_tokens, counter.count(question.answer) + 1) for question in questions)  # 1: the end of sequence

    def expect(of: Callable[[Training], float]) -> float:
        return num_seeds * shared([of(each) for each in trials]) + sum(of(each) for each in pilots)

    def at_worst(of: Callable[[Training], float]) -> float:
        return settings.attempts * sum(of(each) for each in every)

    expected = expect(lambda each: each.answers(bare, answer)) + expect(lambda each: each.hints(bare, answer))
    read = expect(lambda each: each.reads(bare, answer))
    most = fmean(len(question.prompt.encode("utf-8", "surrogatepass")) for question in questions)
    cap = most + teacher.added_bytes + settings.template_tokens
    every = [*(replace(each, tokens=num_seeds * each.tokens) for each in trials), *pilots]
    worst = at_worst(lambda each: each.answers(bare, 1.0)) + at_worst(lambda each: each.hints(bare, 1.0))
    worst_read = at_worst(lambda each: each.reads(bare, 1.0))
    costs = [_scored(each, prompt_tokens=bare, answer_tokens=answer, attempts=settings.attempts) for each in every]
    scored, scored_worst = (sum(each, start=_NOTHING) for each in zip(*costs, strict=True))
    return Forecast(
        expected=Cost(requests=round(expected), prompt_tokens=round(expected * prompt), completion_tokens=round(expected * answer))
        + Cost(requests=round(read), prompt_tokens=round(read * (bare + answer)), completion_tokens=round(read))
        + scored,
        worst=Cost(requests=round(worst), prompt_tokens=round(worst * cap), completion_tokens=round(worst * max_new_tokens))
        + Cost(requests=round(worst_read), prompt_tokens=round(worst_read * (bare + max_new_tokens)), completion_tokens=round(worst_read))
        + scored_worst,
        limit=spend_limit(settings, teacher.model),
    )


def shared(bought: Sequence[float]) -> float:
    """Answers that trials of one seed ask for together."""
    most = max(bought, default=0.0)
    return most + _MORE_A_TRIAL * (sum(bought) - most)


def _scored(training: Training, *, prompt_tokens: float, answer_tokens: float, attempts: int) -> tuple[Cost, Cost]:
    """Expected and worst cost of scoring what the student writes in a training; each request generates a token."""
    own = training.asked.own
    if own is None or not own.scored:
        return _NOTHING, _NOTHING
    tokens = own.share * training.tokens

    def requests(answer: float) -> float:
        return tokens / (answer + (1 + own.readers) * (prompt_tokens + answer))

    expected, most = requests(answer_tokens), requests(1.0) * attempts
    return (
        Cost(
            requests=round(expected),
            prompt_tokens=round(expected * (prompt_tokens + answer_tokens)),
            completion_tokens=round(expected),
        ),
        Cost(requests=round(most), prompt_tokens=round(tokens / (1 + own.readers) * attempts), completion_tokens=round(most)),
    )
