"""The teachers of a run, one for each capability. This module imports no torch: whoever lists plug-ins imports it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from readbench.api import Response, Teacher, Vector
from readbench.teachers.cached import CachedTeacher
from readbench.teachers.local import LocalTeacher
from readbench.teachers.responses import ResponseCache

if TYPE_CHECKING:
    import torch

    from readbench.models.batches import Batch, Encoded


class Panel:
    """Asks each question's own teacher; answers and scores are kept in one cache, each under its teacher's fingerprint."""

    def __init__(self, teachers: Sequence[Teacher], serving: Sequence[int], cache: ResponseCache) -> None:
        """`serving` (K,) says which of them teaches each capability."""
        self.teachers = tuple(teachers)
        self.serving = tuple(serving)
        self._cached = [CachedTeacher(teacher, cache) for teacher in teachers]

    def respond(self, asked: Sequence[tuple[int, str]], *, max_new_tokens: int) -> list[Response]:
        """One response to each prompt of a capability, in order."""
        answers: dict[int, Response] = {}
        for number, teacher in enumerate(self._cached):
            places = [place for place, (capability, _) in enumerate(asked) if self.serving[capability] == number]
            if places:
                found = teacher.respond([asked[place][1] for place in places], max_new_tokens=max_new_tokens)
                answers |= dict(zip(places, found, strict=True))
        return [answers[place] for place in range(len(asked))]

    def logits(self, batch: "Batch", capabilities: Sequence[int]) -> "torch.Tensor":
        """(N, V) of the local teachers at the positions that predict a batch's labels; its rows are of these capabilities.

        V is the smallest of theirs: the rest of a larger table is padding.
        """
        import torch

        from readbench.models.batches import rows_of

        numbers = [self.serving[capability] for capability in capabilities]
        with torch.no_grad():
            if len(set(numbers)) == 1:
                return self._local(numbers[0]).model.label_logits(batch)
            found = []
            for number in sorted(set(numbers)):
                part, places = rows_of(batch, [row for row, each in enumerate(numbers) if each == number])
                found.append((places, self._local(number).model.label_logits(part)))
            width = min(logits.shape[1] for _, logits in found)
            whole = torch.empty(len(batch.labels), width, dtype=torch.float32, device=batch.labels.device)
            for places, logits in found:
                whole[places] = logits[:, :width]
            return whole

    def scores(self, examples: Sequence["Encoded"], capabilities: Sequence[int], temperature: float) -> list[Vector]:
        """The log-probabilities of each example's labels, by its capability's teacher."""

        def found(number: int, teacher: Teacher, asked: list["Encoded"]) -> list[Vector]:
            if isinstance(teacher, LocalTeacher):
                return teacher.model.label_log_probabilities(asked, temperature=temperature)
            # the plan has seen that the temperature is 1
            return self._cached[number].score([(example.tokens, example.prompt_length) for example in asked])

        return self._each(examples, capabilities, found)

    def top(self, examples: Sequence["Encoded"], capabilities: Sequence[int], k: int, temperature: float) -> list[Vector]:
        """Of each example a matrix as `readbench.api.ScoringTeacher.top` has it, by its capability's teacher."""

        def found(number: int, teacher: Teacher, asked: list["Encoded"]) -> list[Vector]:
            if isinstance(teacher, LocalTeacher):
                return teacher.model.label_top(asked, k, temperature=temperature)
            return self._cached[number].top([(example.tokens, example.prompt_length) for example in asked], k)

        return self._each(examples, capabilities, found)

    def _each(
        self, examples: Sequence["Encoded"], capabilities: Sequence[int], found: Callable[[int, Teacher, list["Encoded"]], list[Vector]]
    ) -> list[Vector]:
        """What each teacher, by its number, finds in the examples of its capabilities; in order."""
        values: dict[int, Vector] = {}
        for number, teacher in enumerate(self.teachers):
            places = [place for place, capability in enumerate(capabilities) if self.serving[capability] == number]
            if places:
                values |= dict(zip(places, found(number, teacher, [examples[place] for place in places]), strict=True))
        return [values[place] for place in range(len(examples))]

    def _local(self, number: int) -> LocalTeacher:
        teacher = self.teachers[number]
        assert isinstance(teacher, LocalTeacher)  # noqa: S101 - the plan has refused any other for an objective that asks
        return teacher
