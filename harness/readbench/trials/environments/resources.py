"""What all trials of a run share in one process: the suite's questions, the teacher and the models' folders.

Each worker makes it once, so a trial never reloads the teacher or samples a prompt again that another trial of its seed has
sampled.
"""

from collections.abc import Sequence
from pathlib import Path

from readbench.api import Question
from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.suites.composition import held_out_items
from readbench.suites.probes import DevScore, Profile
from readbench.suites.prompts import HeldOut, PromptStreams, held_out_questions
from readbench.suites.splits import Split
from readbench.suites.suite import Suite
from readbench.teachers.cached import CachedTeacher


class Setting:
    """What the trials of one suite share."""

    def __init__(self, suite: Suite, *, student_path: Path, teacher: CachedTeacher, device: str, num_probes: int, num_dev: int) -> None:
        self.suite = suite
        self.student_path = student_path
        self.teacher = teacher
        self.device = device
        self._sources = suite.sources()
        self.questions: dict[Split, list[list[Question]]] = {
            "probe": held_out_questions(self._sources, "probe", num_probes, suite.name),
            "dev": self._dev(num_dev),
        }
        held_out = [question.prompt for questions in self.questions.values() for each in questions for question in each]
        probes = [[question.prompt for question in each] for each in self.questions["probe"]]
        self._held_out = HeldOut([*held_out, *suite.test_prompts()], by_source=probes)
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
            self._encoded[split] = [[model.encode(q.prompt, q.answer) for q in each] for each in self.questions[split]]
        return self._encoded[split]
