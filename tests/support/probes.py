"""Profiles of encoded examples, outside a trial."""

from collections.abc import Sequence

from readbench.models.batches import Encoded
from readbench.models.language_model import LanguageModel
from readbench.suites.probes import Profile, by_likelihood, profile_of


def measure(model: LanguageModel, encoded: Sequence[Sequence[Encoded]]) -> Profile:
    """The profile on the examples of K capabilities, by likelihood."""
    return profile_of(by_likelihood(model, [example for each in encoded for example in each]), [len(each) for each in encoded])
