"""Supervision on the fly, first half: which prompts are taught, in which order, and which never are.

A slot is position i in the endless stream of (capability, difficulty, seed); its prompt depends on nothing else, so
all allocators of a seed draw from the same streams and differ only in how far they draw. Difficulty follows a
curriculum over the share of the budget spent (ReAD, arXiv 2605.11290): mostly medium at first, mostly hard at the end.
A question that shares its normalised text, its key or an n-gram with a probe, dev or test question is never taught. A source's fixed
wording, such as an instruction at the end of every prompt, is no such n-gram; between two questions with keys, the keys alone decide.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from readbench.api import DIFFICULTIES, Question, Source
from readbench.base.errors import ConfigError
from readbench.base.seeds import derive_seed
from readbench.suites.splits import LEVELS, Split, normalise, sample_from, split_of

# Shares of easy, medium and hard prompts until that share of the budget is spent (ReAD, §supervision).
CURRICULUM = ((0.3, (0.10, 0.80, 0.10)), (0.7, (0.10, 0.50, 0.40)), (1.0, (0.05, 0.20, 0.75)))
WORDING = 0.1  # the share of a source's prompts from which words in a row are its wording and say nothing of a problem
FEWEST_REPEATS = 3  # of them, so that a passage that two questions share is still held out
NGRAM_WORDS = 8  # shorter prompts share words through their format alone, so only their whole text counts


def difficulty_mix(share_spent: float) -> tuple[float, float, float]:
    """The shares of easy, medium and hard prompts once that share of the budget is spent."""
    return next(mix for until, mix in CURRICULUM if share_spent <= until)


def _ngrams(normalised: str) -> Iterable[str]:
    words = normalised.split(" ")
    return (" ".join(words[i : i + NGRAM_WORDS]) for i in range(len(words) - NGRAM_WORDS + 1))


def _wording(prompts: Sequence[str]) -> set[str]:
    """The n-grams that a source repeats whatever it asks, such as an instruction at the end: those in `WORDING` of its prompts."""
    counts = Counter(ngram for prompt in prompts for ngram in set(_ngrams(normalise(prompt))))
    fewest = max(FEWEST_REPEATS, WORDING * len(prompts))
    return {ngram for ngram, count in counts.items() if count >= fewest}


class HeldOut:
    """The questions that must not be taught; `by_source` are prompts of each source, which show its fixed wording."""

    def __init__(self, questions: Iterable[Question], *, by_source: Iterable[Sequence[str]] = ()) -> None:
        questions = list(questions)
        self._texts = {normalise(question.prompt) for question in questions}
        self._keys = {question.key for question in questions if question.key}
        wording = set().union(*map(_wording, by_source))
        keyless = {normalise(question.prompt) for question in questions if not question.key}
        self._ngrams_of_any = {ngram for text in self._texts for ngram in _ngrams(text)} - wording
        self._ngrams_of_keyless = {ngram for text in keyless for ngram in _ngrams(text)} - wording

    def leaks(self, question: Question) -> bool:
        """Whether the question's text or key is a held-out one, or it shares eight words in a row with one.

        Words in a row say nothing between two questions with keys: they are those of a template, and a key is in one split only.
        """
        text = normalise(question.prompt)
        ngrams = self._ngrams_of_keyless if question.key else self._ngrams_of_any
        return text in self._texts or question.key in self._keys or any(ngram in ngrams for ngram in _ngrams(text))


def held_out_questions(sources: Sequence[Source], split: Split, count: int, suite: str) -> list[list[Question]]:
    """For each capability, `count` distinct questions of a split, a third per difficulty; the same for every seed of a suite."""
    chosen: list[list[Question]] = []
    for capability, source in enumerate(sources):
        rng = random.Random(derive_seed("held-out", suite, split, capability))
        questions: list[Question] = []
        taken: set[str] = set()
        for n in range(count):
            question = sample_from(source, split, rng, LEVELS[n % len(LEVELS)], taken)
            taken.add(normalise(question.prompt))
            questions.append(question)
        chosen.append(questions)
    return chosen


@dataclass(frozen=True, slots=True)
class Slot:
    """A position in a stream and its question."""

    capability: int
    difficulty: int
    index: int
    question: Question

    @property
    def prompt(self) -> str:
        """What the teacher is asked."""
        return self.question.prompt


class PromptStreams:
    """All slots of one seed: a function of (capability, difficulty, index), remembered once computed."""

    MAX_LEAKS = 1000  # in a row: then the source has nothing left to teach

    def __init__(self, sources: Sequence[Source], seed: int, held_out: HeldOut) -> None:
        self._sources = sources
        self._seed = seed
        self._held_out = held_out
        self._questions: dict[tuple[int, int, int], Question] = {}

    def slot(self, capability: int, difficulty: int, index: int) -> Slot:
        """The slot; ConfigError if the source has nothing that may be taught."""
        key = (capability, difficulty, index)
        question = self._questions.get(key)
        if question is None:
            question = self._questions[key] = self._sample(*key)
        return Slot(capability, difficulty, index, question)

    def _sample(self, capability: int, difficulty: int, index: int) -> Question:
        rng = random.Random(derive_seed("slot", self._seed, capability, difficulty, index))
        source = self._sources[capability]
        for _ in range(self.MAX_LEAKS):
            question = source.sample(rng, LEVELS[difficulty])
            if split_of(question) == "teach" and not self._held_out.leaks(question):
                return question
        raise ConfigError(
            f"source {source} has no question that is {DIFFICULTIES[difficulty]} and may be taught", hint="give it more questions"
        )


class PromptQueue:
    """The order in which one trial draws each capability's slots under the curriculum.

    Each capability holds a credit per difficulty; every slot adds the mix to the credits and takes one from the
    largest, so the drawn shares always follow the mix to within one slot.
    """

    def __init__(self, streams: PromptStreams, num_capabilities: int) -> None:
        self._streams = streams
        self._credits = [[0.0] * len(DIFFICULTIES) for _ in range(num_capabilities)]
        self._positions = [[0] * len(DIFFICULTIES) for _ in range(num_capabilities)]
        self._mix: tuple[float, ...] = CURRICULUM[0][1]

    def begin_interval(self, share_spent: float) -> None:
        """Switches to the curriculum's mix for that share of the budget."""
        self._mix = difficulty_mix(share_spent)

    def _advance(self, credit: list[float], positions: list[int], capability: int) -> Slot:
        for level, share in enumerate(self._mix):
            credit[level] += share
        level = max(range(len(credit)), key=credit.__getitem__)
        credit[level] -= 1.0
        slot = self._streams.slot(capability, level, positions[level])
        positions[level] += 1
        return slot

    def peek(self, capability: int, count: int) -> list[Slot]:
        """The next `count` slots of a capability, without taking them."""
        credit, positions = list(self._credits[capability]), list(self._positions[capability])
        return [self._advance(credit, positions, capability) for _ in range(count)]

    def take(self, capability: int, count: int) -> list[Slot]:
        """Takes the next `count` slots of a capability."""
        return [self._advance(self._credits[capability], self._positions[capability], capability) for _ in range(count)]

    def state(self) -> dict[str, list[list[float]] | list[list[int]]]:
        """JSON values; `restore` continues exactly from them."""
        return {"credits": [list(c) for c in self._credits], "positions": [list(p) for p in self._positions]}

    def restore(self, state: dict[str, list[list[float]] | list[list[int]]]) -> None:
        """Restores what `state` returned."""
        self._credits = [[float(x) for x in row] for row in state["credits"]]
        self._positions = [[int(x) for x in row] for row in state["positions"]]
