"""What a run is going to spend at a paid teacher, said before it starts: from a sample of its questions, in the student's tokens.

Expected: trials of a seed share their prompts, so that a seed asks about as many as one trial buys, and a tenth of that more
for each further allocator (measured: 7,500 prompts a seed where a trial of five allocators buys 5,500). Pilots have seeds of their own
and share nothing. Worst: nothing is
shared, every answer is empty (an example is cheapest then, so that most are bought), and every attempt except the last is
lost, each charged at its cap. A spend limit bounds both.

What the student writes itself is asked of nobody. Where the teacher scores it, each answer is a request of its own, which no other trial
shares: at worst every token that is scored is paid for in every attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from readbench.api import Question
from readbench.models.counting import open_counter
from readbench.teachers.endpoint.settings import EndpointConfig, read_key
from readbench.teachers.spend.account import PaidTeacher
from readbench.teachers.spend.prices import Limit, spend_limit

_MORE_A_ALLOCATOR = 0.1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAnswers:
    """What the student writes itself."""

    share: float  # of a trial's tokens
    readers: int  # models that read each answer beside the student
    scored: bool  # whether the paid teacher is one of them


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
    num_seeds: int,
    num_allocators: int,
    budget_tokens: int,
    max_new_tokens: int,
    pilot_tokens: int = 0,
    own: OwnAnswers | None = None,
) -> Forecast:
    """The forecast of trials that charge `budget_tokens` each, and of pilots that charge `pilot_tokens` together.

    They ask about questions like these; ConfigError where the settings fail.
    """
    read_key(settings.key_env)
    counter = open_counter(student_path)
    bare = fmean(counter.count(question.prompt) for question in questions)  # what a student is taught holds no system prompt
    prompt = bare + counter.count(teacher.system)
    answer = fmean(min(max_new_tokens, counter.count(question.answer) + 1) for question in questions)  # 1: the end of sequence
    taught = 1.0 if own is None else 1.0 - own.share  # of all tokens, by the teacher's answers
    trials = num_seeds * num_allocators * budget_tokens + pilot_tokens
    expected = taught * (num_seeds * (1 + _MORE_A_ALLOCATOR * (num_allocators - 1)) * budget_tokens + pilot_tokens) / (bare + 2 * answer)
    most = fmean(len(question.prompt.encode("utf-8", "surrogatepass")) for question in questions)
    cap = most + teacher.added_bytes + settings.template_tokens
    worst = taught * trials / (bare + 2) * settings.attempts
    scored, scored_worst = _scored(own, trials, prompt_tokens=bare, answer_tokens=answer, attempts=settings.attempts)
    return Forecast(
        expected=Cost(requests=round(expected), prompt_tokens=round(expected * prompt), completion_tokens=round(expected * answer))
        + scored,
        worst=Cost(requests=round(worst), prompt_tokens=round(worst * cap), completion_tokens=round(worst * max_new_tokens)) + scored_worst,
        limit=spend_limit(settings, teacher.model),
    )


def _scored(own: OwnAnswers | None, trials: int, *, prompt_tokens: float, answer_tokens: float, attempts: int) -> tuple[Cost, Cost]:
    """Expected and worst cost of scoring what the student writes for so many tokens of trials; each request generates a token."""
    if own is None or not own.scored:
        nothing = Cost(requests=0, prompt_tokens=0, completion_tokens=0)
        return nothing, nothing
    tokens = own.share * trials

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
