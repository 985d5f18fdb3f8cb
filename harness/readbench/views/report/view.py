"""Results as the pictures want it: complete trials by allocator, the best first, capabilities by need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from readbench.results.document.model import CompleteTrial, Results
from readbench.results.stats import Difference, difference_of
from readbench.results.summary import AllocatorSummary, Summary, summarise
from readbench.trials.record.interval import Interval
from readbench.views.console.text import printable

Matrix = npt.NDArray[np.float64]
LABEL_LENGTH = 17  # characters of a name in a picture: general_knowledge


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One run. Capabilities: the most needed first, of equal ones those that come first in the suite."""

    results: Results
    summary: Summary
    capabilities: tuple[str, ...]
    trials: Mapping[str, tuple[CompleteTrial, ...]]  # allocator → its complete trials by seed, in the summary's order

    @property
    def allocators(self) -> tuple[AllocatorSummary, ...]:
        """The highest mean utility first."""
        return self.summary.allocators

    def required(self, capability: str) -> float:
        """Its weight in the task."""
        return self.summary.requirement[capability]

    def charged(self, allocator: str) -> Matrix:
        """(seeds, T) tokens charged in each interval; T is the fewest intervals of any of its trials."""
        return self._over_intervals(allocator, lambda interval: interval.tokens.charged)

    def dev_utility(self, allocator: str) -> Matrix:
        """(seeds, T + 1) utility on the dev questions before the first interval and after each; NaN where it was not measured."""
        before = np.array([[trial.dev_utility_before] for trial in self.trials[allocator]], dtype=np.float64)
        return np.hstack([before, self._over_intervals(allocator, lambda interval: interval.dev_utility)])

    def shares(self, allocator: str) -> Matrix:
        """(seeds, T, K) share of each interval's charged tokens, capabilities in this view's order."""
        return self._over_intervals(allocator, lambda interval: [interval.allocation[c] for c in self.capabilities])

    def expected(self, allocator: str) -> Matrix | None:
        """(seeds, T, 3) what it expected: of its choice, spread over the candidates, uncertainty; NaN where it does not say.

        None if it never says how uncertain it is.
        """
        expectations = [interval.expected for trial in self.trials[allocator] for interval in trial.intervals]
        if not any(each is not None and each.uncertainty > 0 for each in expectations):
            return None

        def figures(interval: Interval) -> list[float]:
            each = interval.expected
            return [np.nan] * 3 if each is None else [each.chosen, each.spread, each.uncertainty]

        return self._over_intervals(allocator, figures)

    def rewards(self, allocator: str) -> Matrix:
        """(seeds, T) the rewards."""
        return self._over_intervals(allocator, lambda interval: interval.reward)

    def figure_names(self, allocator: str) -> set[str]:
        """The figures that the objective shows of its trials."""
        return {name for trial in self.trials[allocator] for interval in trial.intervals for name in interval.figures}

    def figure(self, allocator: str, name: str) -> Matrix:
        """(seeds, T) a figure of the objective; NaN where an interval has none."""
        return self._over_intervals(allocator, lambda interval: interval.figures.get(name))

    def _over_intervals(self, allocator: str, value: Callable[[Interval], float | list[float] | None]) -> Matrix:
        rows = [trial.intervals for trial in self.trials[allocator]]
        shortest = min(map(len, rows))
        return np.array([[value(interval) for interval in row[:shortest]] for row in rows], dtype=np.float64)


def view(results: Results) -> View:
    """The view of results with at least one complete trial."""
    summary = summarise(results)
    by_name = {
        a.name: tuple(sorted((t for t in results.complete if t.allocator == a.name), key=lambda t: t.seed)) for a in summary.allocators
    }
    needed = sorted(summary.requirement, key=lambda c: -summary.requirement[c])  # stable: the suite's order among equals
    return View(results=results, summary=summary, capabilities=tuple(needed), trials=by_name)


def label(name: str, length: int = LABEL_LENGTH) -> str:
    """A name as a picture shows it: in one line, and short; the last part of a place in the grid stays, since it tells it apart."""
    shown = printable(name)
    if len(shown) <= length:
        return shown
    _, slash, last = shown.rpartition("/")
    end = f"…{slash}{last}" if len(slash + last) + 2 < length else "…"
    return shown[: length - len(end)] + end


def mean_over_seeds(values: Sequence[float]) -> Difference:
    """Mean with its 95 % Student-t interval over whole seeds (None below 3)."""
    found = difference_of([float(value) for value in values])
    assert found is not None  # noqa: S101 - a complete trial has values
    return found
