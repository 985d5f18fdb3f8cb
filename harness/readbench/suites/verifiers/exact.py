"""``exact``: the answer is the reference, whatever its case, spacing, quotes and final punctuation."""

from readbench.api import Question, Verifier, verifier
from readbench.suites.verifiers._final import bounded, final_answer, plain, reference_of


class Exact:
    """Compares the final answer, or the whole text, with the reference."""

    def score(self, question: Question, answer: str) -> float:
        """1 if they are equal, else 0."""
        reference = plain(reference_of(question))
        return float(reference in (plain(final_answer(answer)), plain(bounded(answer))))


@verifier("exact")
def exact() -> Verifier:
    """The final answer is the reference; case, spacing, quotes and final punctuation do not count."""
    return Exact()
