"""What all trials of a run share in one process: the suite's questions, the teachers and the models' folders.

Each worker makes it once, so a trial never reloads the teacher or samples a prompt again that another trial of its seed has
sampled.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from readbench.api import Question, Vector
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.models.ranks import ALONE, Ranks
from readbench.suites.composition import held_out_items
from readbench.suites.grading import Grader
from readbench.suites.probes import (
    DevScore,
    Examined,
    Profile,
    by_generation,
    by_likelihood,
    profile_of,
    score_items,
    score_mixture,
)
from readbench.suites.prompts import HeldOut, PromptStreams, held_out_questions
from readbench.suites.splits import Split
from readbench.suites.suite import Suite
from readbench.teachers.panel import Panel
from readbench.trials.environments.rollouts.settings import NO_SAMPLER, SamplerConfig

Scorer = Callable[[Sequence[Encoded], float], list[Vector]]  # examples, temperature → the log-probabilities of each one's labels


class Setting:
    """What the trials of one suite share."""

    def __init__(
        self,
        suite: Suite,
        *,
        student_path: Path,
        teachers: Panel,
        device: str,
        num_probes: int,
        num_dev: int,
        max_new_tokens: int,
        verifier_params: Mapping[str, Mapping[str, Any]],
        reference_scores: Scorer | None = None,
        sampler: SamplerConfig = NO_SAMPLER,
        ranks: Ranks = ALONE,
    ) -> None:
        self.suite = suite
        self.student_path = student_path
        self.teachers = teachers
        self.reference_scores = reference_scores  # for objectives that compare the student with what it was
        self.sampler = sampler  # a server that writes the student's answers, where an objective asks for it
        self.device = device
        self.ranks = ranks  # that train a student together
        self.grader = Grader(verifier_params)
        self._max_new_tokens = max_new_tokens
        self._sources = suite.sources()
        self.questions: dict[Split, list[list[Question]]] = {
            "probe": held_out_questions(self._sources, "probe", num_probes, suite.name),
            "dev": self._dev(num_dev),
        }
        self.grader.prepare(question for questions in self.questions.values() for each in questions for question in each)
        held_out = [question for questions in self.questions.values() for each in questions for question in each]
        probes = [[question.prompt for question in each] for each in self.questions["probe"]]
        self._held_out = HeldOut([*held_out, *suite.test_questions()[0]], by_source=probes)
        self._streams: dict[int, PromptStreams] = {}
        self.untrained: tuple[Profile, DevScore] | None = None  # as the first trial measured it: all begin with the same student
        self._encoded: dict[Split, list[list[Encoded]]] = {}
        self._examples: dict[tuple[str, str, bool], Encoded] = {}

    def _dev(self, count: int) -> list[list[Question]]:
        """The questions of the learning curve: a joint task's items, else each required capability's own."""
        suite = self.suite
        if suite.composition is not None:
            items = held_out_items(self._sources, "dev", suite.composition, count, suite.name)
            return [[step.question for step in item] for item in items]
        questions = held_out_questions(self._sources, "dev", count, suite.name)
        # the curve is r·s: capabilities that the task does not need add nothing to it
        return [each if needed else [] for each, needed in zip(questions, suite.requirement, strict=True)]

    def profile(self, model: LanguageModel) -> Profile:
        """The student's current profile."""
        return self._profile(model, self.encoded("probe", model))

    def teacher_profile(self, model: LanguageModel) -> Profile:
        """Likewise the teacher's, whose tokens may be others."""
        return self._profile(model, self._encode("probe", model))

    def dev_score(self, model: LanguageModel) -> DevScore:
        """The student's current score on the dev questions."""
        examined, counts = self._examined("dev", model, self.encoded("dev", model))
        if self.suite.composition is not None:
            return score_items(examined, counts)
        return score_mixture(profile_of(examined, counts), self.suite.requirement)

    def _profile(self, model: LanguageModel, encoded: Sequence[Sequence[Encoded]]) -> Profile:
        return profile_of(*self._examined("probe", model, encoded))

    def _examined(self, split: Split, model: LanguageModel, encoded: Sequence[Sequence[Encoded]]) -> tuple[Examined, list[int]]:
        """The outcome of a split's questions, and how many each capability or item has."""
        examples, counts = [example for each in encoded for example in each], [len(each) for each in encoded]
        if self.suite.config.probes == "likelihood":
            return by_likelihood(model, examples), counts
        questions = [question for each in self.questions[split] for question in each]
        return by_generation(model, questions, examples, self.grader, max_new_tokens=self._max_new_tokens), counts

    def samples(self) -> list[Question]:
        """One probe of each capability, to show what a model answers to it."""
        return [each[0] for each in self.questions["probe"]]

    def streams(self, seed: int) -> PromptStreams:
        """The prompt streams of a seed."""
        if seed not in self._streams:
            self._streams[seed] = PromptStreams(self._sources, seed, self._held_out)
        return self._streams[seed]

    def encode(self, model: LanguageModel, prompt: str, response: str, *, finished: bool) -> Encoded:
        """An example in the student's tokens; trials of a seed share most of theirs, and tokenizing takes a tenth of a trial."""
        key = (prompt, response, finished)
        if key not in self._examples:
            self._examples[key] = model.encode(prompt, response, finished=finished)
        return self._examples[key]

    def encoded(self, split: Split, model: LanguageModel) -> Sequence[Sequence[Encoded]]:
        """The questions of a split with their right answers, in the student's tokens: of K capabilities, or a joint task's dev items."""
        if split not in self._encoded:
            self._encoded[split] = self._encode(split, model)
        return self._encoded[split]

    def _encode(self, split: Split, model: LanguageModel) -> list[list[Encoded]]:
        return [[model.encode(q.prompt, q.answer) for q in each] for each in self.questions[split]]
